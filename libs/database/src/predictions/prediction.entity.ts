import { Column, Entity, PrimaryColumn } from 'typeorm'

/** Probability with its interval of one output of a model. */
export interface StoredOutput {
  readonly value: number
  readonly lower?: number
  readonly upper?: number
}

/** One person's input snapshot and, when its task has succeeded, the result. Its state is its task's. */
@Entity('predictions')
export class PredictionEntity {
  @PrimaryColumn('bigint')
  id!: string

  @Column('uuid', { name: 'task_id' })
  taskId!: string

  @Column('bigint', { name: 'user_id' })
  userId!: string

  /** `name@version` that computes it, fixed when it was submitted. */
  @Column('text')
  model!: string

  @Column('jsonb', { name: 'health_metrics' })
  healthMetrics!: Record<string, number>

  @Column('jsonb')
  warnings!: string[]

  @Column('double precision', { name: 'risk_score', nullable: true })
  riskScore!: number | null

  @Column('text', { name: 'risk_category', nullable: true })
  riskCategory!: string | null

  /** Every output of the model by name. */
  @Column('jsonb', { nullable: true })
  outputs!: Record<string, StoredOutput> | null

  /** Attempt that stored the result. */
  @Column('integer', { nullable: true })
  attempt!: number | null

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date
}
