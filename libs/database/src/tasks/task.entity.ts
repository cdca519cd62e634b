import type { QueueName } from '#libs/platform'
import type { TaskState } from '#libs/tasks/contracts'
import { Column, Entity, PrimaryColumn } from 'typeorm'

/** What a caller may set for one task in place of the configured values. Durations in seconds. */
export interface TaskLimits {
  readonly max_retries?: number
  readonly retry_delay_seconds?: number
  readonly time_limit_seconds?: number
  readonly soft_time_limit_seconds?: number
}

/** A unit of work. The row is the truth; a job in the broker only says that it is time to read it. */
@Entity('tasks')
export class TaskEntity {
  /** UUID version 7: later tasks sort after earlier ones. */
  @PrimaryColumn('uuid')
  id!: string

  @Column('text')
  name!: string

  @Column('text')
  queue!: QueueName

  @Column('text')
  state!: TaskState

  /** Identifiers and small options only; health data stands in its own rows. */
  @Column('jsonb')
  args!: Record<string, unknown>

  @Column('bigint', { name: 'user_id', nullable: true })
  userId!: string | null

  /** The prediction it computes or explains. */
  @Column('bigint', { name: 'prediction_id', nullable: true })
  predictionId!: string | null

  /** 0 is the default; a smaller number is taken first, as in BullMQ. */
  @Column('smallint')
  priority!: number

  @Column('jsonb', { nullable: true })
  limits!: TaskLimits | null

  /** Not to be started before. */
  @Column('timestamptz', { name: 'available_at' })
  availableAt!: Date

  /** Not to be started after. */
  @Column('timestamptz', { name: 'expires_at', nullable: true })
  expiresAt!: Date | null

  /** Starts so far. The running start holds this number; only its holder may store an outcome. */
  @Column('integer')
  attempt!: number

  /** Retries used after transient failures. */
  @Column('integer')
  retries!: number

  /** Times that a worker or child died under it. */
  @Column('integer')
  crashes!: number

  @Column('text', { nullable: true })
  worker!: string | null

  @Column('timestamptz', { name: 'lease_expires_at', nullable: true })
  leaseExpiresAt!: Date | null

  @Column('jsonb', { nullable: true })
  result!: unknown

  @Column('text', { name: 'error_code', nullable: true })
  errorCode!: string | null

  @Column('text', { name: 'error_message', nullable: true })
  errorMessage!: string | null

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date

  /** The time it was planned for when it was called. */
  @Column('timestamptz', { nullable: true })
  eta!: Date | null

  /** Someone asked to revoke it while it ran; it is not to be started again. */
  @Column('timestamptz', { name: 'revoke_requested_at', nullable: true })
  revokeRequestedAt!: Date | null

  /** Its result was forgotten at a caller's wish; the rest stays as history. */
  @Column('timestamptz', { name: 'result_forgotten_at', nullable: true })
  resultForgottenAt!: Date | null

  /** The ended task that this one does again. */
  @Column('uuid', { name: 'replay_of', nullable: true })
  replayOf!: string | null

  /** Id of the API key that submitted it; null for what the service sends by itself. */
  @Column('uuid', { name: 'submitted_by', nullable: true })
  submittedBy!: string | null

  /** The task that called this one. */
  @Column('uuid', { name: 'parent_id', nullable: true })
  parentId!: string | null

  /** Start of the running or last attempt. */
  @Column('timestamptz', { name: 'started_at', nullable: true })
  startedAt!: Date | null

  @Column('timestamptz', { name: 'finished_at', nullable: true })
  finishedAt!: Date | null
}
