import { Column, Entity, PrimaryColumn } from 'typeorm'

/** The expected score at one time after the reference date. Scores in points, probabilities 0 to 1. */
export interface StoredForecastPoint {
  readonly months: number
  /** ISO 8601 */
  readonly at: string
  readonly mean: number
  readonly median: number
  readonly lower_80: number
  readonly upper_80: number
  readonly lower_95: number
  readonly upper_95: number
  readonly probability_below_24: number
  /** Probability of each score, lowest first. */
  readonly distribution: readonly number[]
}

/** One dated score that a forecast was made from. */
export interface StoredForecastVisit {
  /** ISO 8601 */
  readonly at: string
  readonly value: number
}

/** A forecast as its task made it, with the history that it was made from. One for each task that succeeded. */
@Entity('forecasts')
export class ForecastEntity {
  @PrimaryColumn('uuid', { name: 'task_id' })
  taskId!: string

  @Column('bigint', { name: 'user_id' })
  userId!: string

  /** Attempt that stored it. */
  @Column('integer')
  attempt!: number

  /** `name@version` */
  @Column('text')
  model!: string

  @Column('text')
  metric!: string

  /** When the history was read; horizons count from here. */
  @Column('timestamptz', { name: 'reference_at' })
  referenceAt!: Date

  /** Oldest first. */
  @Column('jsonb')
  history!: readonly StoredForecastVisit[]

  @Column('jsonb')
  points!: readonly StoredForecastPoint[]

  /** Points per year; negative is decline. */
  @Column('double precision', { name: 'rate_per_year' })
  ratePerYear!: number

  @Column('text')
  basis!: 'history' | 'population'

  @Column('jsonb')
  warnings!: readonly string[]

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date
}
