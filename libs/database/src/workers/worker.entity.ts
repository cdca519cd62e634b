import { Column, Entity, PrimaryColumn } from 'typeorm'

export type WorkerState = 'starting' | 'ready' | 'draining' | 'stopped'

/** What has become of a model in one worker. */
export interface WorkerModelState {
  readonly state: 'loading' | 'ready' | 'broken'
  /** Why it is broken. */
  readonly reason: string | null
}

/** Limits of one task on one worker, as operators have set them: starts a second, and seconds. */
export interface WorkerTaskLimits {
  readonly rate_per_second?: number
  readonly soft_seconds?: number
  readonly hard_seconds?: number
}

/** Counters and gauges by name, and the limits by task under `limits`. */
export type WorkerStats = Readonly<Record<string, number | Readonly<Record<string, WorkerTaskLimits>>>>

/** The heartbeat of one worker process: a hung worker shows as stale, not as missing. */
@Entity('workers')
export class WorkerEntity {
  /** Identity of this incarnation. */
  @PrimaryColumn('uuid')
  id!: string

  @Column('text')
  name!: string

  @Column('text')
  hostname!: string

  @Column('integer')
  pid!: number

  @Column('text')
  state!: WorkerState

  @Column('text', { array: true })
  queues!: string[]

  @Column('text')
  pool!: string

  @Column('integer')
  concurrency!: number

  /** Counters and gauges of the process, and under `limits` what operators have limited. */
  @Column('jsonb')
  stats!: WorkerStats

  /** Names of the tasks it can run. */
  @Column('text', { array: true })
  tasks!: string[]

  /** `name@version` of the models that are ready. */
  @Column('text', { array: true })
  models!: string[]

  /** Every model it knows and what has become of it, by `name@version`. */
  @Column('jsonb', { name: 'model_states' })
  modelStates!: Record<string, WorkerModelState>

  @Column('jsonb')
  versions!: Record<string, string>

  @Column('timestamptz', { name: 'started_at' })
  startedAt!: Date

  @Column('timestamptz', { name: 'heartbeat_at' })
  heartbeatAt!: Date
}
