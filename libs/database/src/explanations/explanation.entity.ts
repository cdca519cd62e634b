import { Column, Entity, PrimaryColumn } from 'typeorm'

/** What one input added to the explained output, in the explanation's space. */
export interface StoredContribution {
  readonly feature: string
  readonly title: string
  /** `null`: missing. */
  readonly value: number | null
  readonly unit: string
  readonly contribution: number
  /** Where it was sampled. */
  readonly standard_error?: number
}

/**
 * Explanation of one output of one prediction. The row is stored with the request, so that it is requested only once; its
 * state is that of its task, and everything after `taskId` is null until that task has succeeded.
 */
@Entity('explanations')
export class ExplanationEntity {
  @PrimaryColumn('bigint', { name: 'prediction_id' })
  predictionId!: string

  /** Name of the explained output of the model. */
  @PrimaryColumn('text', { name: 'output_name' })
  outputName!: string

  @Column('uuid', { name: 'task_id' })
  taskId!: string

  /** `name@version` that predicted and was explained. */
  @Column('text', { nullable: true })
  model!: string | null

  @Column('text', { nullable: true })
  method!: string | null

  /** In which the contributions add up. */
  @Column('text', { nullable: true })
  space!: string | null

  /** Expected output over the reference people. */
  @Column('double precision', { name: 'base_value', nullable: true })
  baseValue!: number | null

  /** The explained output: base value and contributions added up. */
  @Column('double precision', { nullable: true })
  output!: number | null

  /** The largest first. */
  @Column('jsonb', { nullable: true })
  contributions!: StoredContribution[] | null

  /** Largest standard error of a contribution, where they were sampled. */
  @Column('double precision', { name: 'standard_error', nullable: true })
  standardError!: number | null

  /** In plain words. */
  @Column('text', { nullable: true })
  text!: string | null

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date
}
