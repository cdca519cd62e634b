import { Column, Entity, PrimaryColumn } from 'typeorm'

/** What a plan does with its tasks: do them again, revoke them, or cancel those that have not started. */
export const planActions = ['retry', 'revoke', 'purge'] as const
export type PlanAction = (typeof planActions)[number]

/** A change of many tasks. Which tasks is fixed when it is planned; it is made when it is run. */
@Entity('plans')
export class PlanEntity {
  /** UUID version 7: later plans sort after earlier ones. */
  @PrimaryColumn('uuid')
  id!: string

  @Column('text')
  action!: PlanAction

  /** Whether what computes a revoked task is killed. */
  @Column('boolean')
  terminate!: boolean

  /** By which its tasks were chosen; a person stands in it under a pseudonym. */
  @Column('jsonb')
  filter!: Record<string, unknown>

  /** Tasks of the plan. */
  @Column('integer')
  total!: number

  /** Whether more tasks fitted than a plan takes. */
  @Column('boolean', { name: 'is_capped' })
  isCapped!: boolean

  /** Some of its newest tasks. */
  @Column('uuid', { array: true })
  sample!: readonly string[]

  /** Tasks that it has changed. */
  @Column('integer')
  done!: number

  /** Tasks that were no longer in a state in which the action applies, or no longer there. */
  @Column('integer')
  skipped!: number

  /** Tasks that could not be changed. */
  @Column('integer')
  failed!: number

  /** Id of the API key, or OIDC caller, that made it. */
  @Column('uuid', { name: 'planned_by' })
  plannedBy!: string

  /** Id of the one that ran it. */
  @Column('uuid', { name: 'run_by', nullable: true })
  runBy!: string | null

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date

  /** It cannot be run after this time. */
  @Column('timestamptz', { name: 'expires_at' })
  expiresAt!: Date

  @Column('timestamptz', { name: 'started_at', nullable: true })
  startedAt!: Date | null

  @Column('timestamptz', { name: 'finished_at', nullable: true })
  finishedAt!: Date | null
}
