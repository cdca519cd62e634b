import { Column, Entity, PrimaryColumn } from 'typeorm'

/** Each role may do what the ones before it may. */
export const roles = ['viewer', 'submitter', 'operator', 'admin'] as const
export type Role = (typeof roles)[number]

/** A key to the API. Only its SHA-256 is stored: the key has 256 random bits, so a slow hash would add nothing. */
@Entity('api_keys')
export class ApiKeyEntity {
  @PrimaryColumn('uuid')
  id!: string

  @Column('text')
  name!: string

  @Column('bytea')
  hash!: Buffer

  @Column('text')
  role!: Role

  /** Bound to one person: the key reaches no one else's data. */
  @Column('bigint', { name: 'user_id', nullable: true })
  userId!: string | null

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date

  @Column('timestamptz', { name: 'expires_at', nullable: true })
  expiresAt!: Date | null

  @Column('timestamptz', { name: 'revoked_at', nullable: true })
  revokedAt!: Date | null

  /** Came from the configuration of a process, and not from an administrator; at most one of them is valid. */
  @Column('boolean', { name: 'is_bootstrap', default: false })
  isBootstrap!: boolean
}
