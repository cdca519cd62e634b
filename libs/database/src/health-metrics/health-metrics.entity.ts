import { Column, Entity, PrimaryColumn } from 'typeorm'

/** What was measured of one person at one time. */
@Entity('health_metrics')
export class HealthMetricsEntity {
  @PrimaryColumn('bigint')
  id!: string

  @Column('bigint', { name: 'user_id' })
  userId!: string

  @Column('timestamptz', { name: 'recorded_at' })
  recordedAt!: Date

  @Column('jsonb')
  metrics!: Record<string, number>

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date
}
