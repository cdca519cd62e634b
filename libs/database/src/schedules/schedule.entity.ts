import type { QueueName } from '#libs/platform'
import { Column, Entity, PrimaryColumn } from 'typeorm'

/** What becomes of ticks that nobody was there to fire: none of them runs, the newest does, or all do. */
export const catchUpPolicies = ['none', 'one', 'all'] as const
export type CatchUpPolicy = (typeof catchUpPolicies)[number]

/** A task that is sent again and again: by cron in a time zone, or every so many seconds. */
@Entity('schedules')
export class ScheduleEntity {
  @PrimaryColumn('uuid')
  id!: string

  @Column('text')
  name!: string

  /** Name of the task. */
  @Column('text')
  task!: string

  /** As they were given, checked when they were stored; small options only, as in a task. */
  @Column('jsonb')
  args!: Record<string, unknown>

  @Column('bigint', { name: 'user_id', nullable: true })
  userId!: string | null

  @Column('bigint', { name: 'prediction_id', nullable: true })
  predictionId!: string | null

  @Column('text')
  queue!: QueueName

  @Column('smallint')
  priority!: number

  /** A task of it that has not started after this long is not started any more. */
  @Column('integer', { name: 'expires_seconds', nullable: true })
  expiresSeconds!: number | null

  @Column('text', { nullable: true })
  cron!: string | null

  /** IANA name; set with `cron`. */
  @Column('text', { name: 'time_zone', nullable: true })
  timeZone!: string | null

  /** Set if `cron` is not. */
  @Column('integer', { name: 'interval_seconds', nullable: true })
  intervalSeconds!: number | null

  @Column('text', { name: 'catch_up' })
  catchUp!: CatchUpPolicy

  @Column('boolean', { name: 'is_paused' })
  isPaused!: boolean

  /** The tick that comes next; null while it is paused. */
  @Column('timestamptz', { name: 'next_run_at', nullable: true })
  nextRunAt!: Date | null

  /** The last tick that ran, and its task. */
  @Column('timestamptz', { name: 'last_run_at', nullable: true })
  lastRunAt!: Date | null

  @Column('uuid', { name: 'last_task_id', nullable: true })
  lastTaskId!: string | null

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date

  @Column('timestamptz', { name: 'updated_at' })
  updatedAt!: Date
}
