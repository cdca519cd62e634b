/** What commands need of the worker itself. */
export interface CeleryWorker {
  /** Names of the tasks that callers may send, sorted. */
  readonly tasks: readonly string[]
  /** What `inspect registered` may show of a task besides its name, by Celery's names of attributes. */
  attributesOf(task: string): Readonly<Record<string, unknown>>
  /** Settings by Celery's names, without secrets. */
  readonly settings: Readonly<Record<string, unknown>>
  /** What `inspect stats` shows, without clock and prefetch count. */
  readStatistics(): Readonly<Record<string, unknown>>
  /** Whether the number of compute children follows the work. */
  readonly isAutoscaled: boolean
  /** Adds compute children, or takes some away. */
  resize(by: number): Promise<void>
  restartPool(): Promise<void>
  /** Changes the limits of autoscaling, undefined ones excepted; returns those in force. */
  autoscale(max: number | undefined, min: number | undefined): { readonly max: number; readonly min: number }
  /** `10/m`, a number of tasks per second, or 0 for no limit. */
  limitRate(task: string, rate: string): Promise<void>
  /** Changes time limits, in seconds, undefined ones excepted. */
  limitTime(
    task: string,
    limits: { readonly soft: number | undefined; readonly hard: number | undefined },
  ): Promise<void>
  /** Begins to shut down as by SIGTERM. */
  shutDown(): Promise<void>
}
