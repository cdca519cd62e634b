/** A call that a worker has taken and not finished. Its arguments are not part of it: they hold people's data. */
export interface CallInfo {
  /** The caller's id of the task. */
  readonly id: string
  /** Name of the task, such as `ml.process_prediction`. */
  readonly task: string
  /** The Celery queue it was sent to. */
  readonly queue: string
  readonly priority: number
  /** Undefined until it is started. */
  readonly startedAt?: Date | undefined
}

export interface ScheduledCall extends CallInfo {
  readonly eta: Date
}

export interface FoundCall extends CallInfo {
  /** `ready` means finished. */
  readonly state: 'active' | 'reserved' | 'scheduled' | 'ready'
}

export interface RevokeOptions {
  /** Whether to end what runs already. */
  readonly terminate: boolean
}

/** Values of stamps by the name of their header. */
export type Stamps = Readonly<Record<string, readonly string[]>>

/** What commands need of the calls of this worker. */
export interface CeleryCalls {
  /** Celery queues that are consumed. */
  readonly queues: readonly string[]
  /** Most calls that may be taken and not finished. */
  readonly prefetchCount: number
  /** Calls that run here. */
  listActive(): Promise<readonly CallInfo[]>
  /** Calls that this worker has taken and that wait to be run. */
  listReserved(): Promise<readonly CallInfo[]>
  /** Calls that this worker has taken and that are not due yet. */
  listScheduled(): Promise<readonly ScheduledCall[]>
  /** Ids that were revoked lately, the oldest first. */
  listRevoked(): Promise<readonly string[]>
  /** Those of the ids whose calls this worker has taken. */
  find(ids: readonly string[]): Promise<readonly FoundCall[]>
  /** Revokes calls, those that come later included. Returns those of the ids whose calls are taken and not finished. */
  revoke(ids: readonly string[], options: RevokeOptions): Promise<readonly string[]>
  /** Revokes the calls that bear one of the stamps, those that come later included. Returns the stamps of running ones. */
  revokeStamped(stamps: Stamps, options: RevokeOptions): Promise<Stamps>
  /** Consumes one more Celery queue; nothing happens if it is consumed. */
  addQueue(name: string): Promise<void>
  cancelQueue(name: string): Promise<void>
}
