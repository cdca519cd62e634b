import { Column, Entity, PrimaryColumn } from 'typeorm'

/** Which version of a model serves where none is named, and which runs beside it unseen. */
@Entity('model_activations')
export class ModelActivationEntity {
  @PrimaryColumn('text')
  name!: string

  /** The versions that have been active, the present one last. Empty: the newest serves. */
  @Column('text', { array: true })
  versions!: string[]

  /** Version that also runs on the same inputs; its results are only compared. */
  @Column('text', { nullable: true })
  shadow!: string | null

  @Column('timestamptz', { name: 'shadow_since', nullable: true })
  shadowSince!: Date | null

  @Column('timestamptz', { name: 'changed_at' })
  changedAt!: Date
}
