import { Column, Entity, PrimaryColumn } from 'typeorm'

/** How an attempt ended: `released` was handed back by a stopping worker, `lost` died with its worker or child. */
export type AttemptOutcome = 'succeeded' | 'retried' | 'failed' | 'timed_out' | 'cancelled' | 'released' | 'lost'

/** One ended start of a task. */
@Entity('task_attempts')
export class TaskAttemptEntity {
  @PrimaryColumn('uuid', { name: 'task_id' })
  taskId!: string

  @PrimaryColumn('integer')
  attempt!: number

  @Column('text', { nullable: true })
  worker!: string | null

  @Column('text')
  outcome!: AttemptOutcome

  @Column('text', { name: 'error_code', nullable: true })
  errorCode!: string | null

  @Column('text', { name: 'error_message', nullable: true })
  errorMessage!: string | null

  @Column('timestamptz', { name: 'started_at', nullable: true })
  startedAt!: Date | null

  @Column('timestamptz', { name: 'ended_at' })
  endedAt!: Date
}
