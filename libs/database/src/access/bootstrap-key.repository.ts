import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { DataSource, type EntityManager } from 'typeorm'
import { advisoryLocks } from '../connection/advisory-lock.js'
import { createKeyText, hashKey } from './api-key.repository.js'
import { AuditRepository } from './audit.repository.js'

/**
 * What became of a configured key. `refused`: the database knows it, but not as a valid admin key without an expiry: it
 * was revoked or replaced, or is a key of another kind. Then nothing was changed.
 */
export type BootstrapOutcome = 'installed' | 'kept' | 'refused'

/** Admin keys that can be used now and for good. */
const isUsable = `role = 'admin' AND user_id IS NULL AND revoked_at IS NULL AND expires_at IS NULL`

/**
 * The one admin key that comes from the configuration. Processes that start at the same time wait for each other, and what
 * is changed is recorded in the audit trail in the same transaction.
 */
@Injectable()
export class BootstrapKeyRepository {
  constructor(private readonly dataSource: DataSource) {}

  /** Makes a configured key the bootstrap key; the one before it is revoked. A key that was revoked stays revoked. */
  install(key: string): Promise<BootstrapOutcome> {
    return this.alone(async (manager) => {
      const [known]: { id: string; is_usable: boolean; is_bootstrap: boolean }[] = await manager.query(
        `SELECT id, ${isUsable} AS is_usable, is_bootstrap FROM api_keys WHERE hash = $1`,
        [hashKey(key)],
      )
      if (known && !known.is_usable) return 'refused'
      const id = known?.id ?? (await insert(manager, key))
      if (known && !known.is_bootstrap) {
        await manager.query('UPDATE api_keys SET is_bootstrap = true WHERE id = $1', [id])
        await new AuditRepository(manager).recordOwn('api_key.bootstrap', id, {})
      }
      await revokeOthers(manager, id)
      return known ? 'kept' : 'installed'
    })
  }

  /**
   * Makes a first key where no admin key can be used, and has its text kept, before it is valid, by the one process that
   * made it. Undefined where there is an admin key; an error of `keep` undoes all.
   */
  installFirst<Kept>(keep: (key: string) => Kept): Promise<Kept | undefined> {
    return this.alone(async (manager) => {
      const [row]: [{ exists: boolean }] = await manager.query(
        `SELECT EXISTS (SELECT FROM api_keys WHERE ${isUsable}) AS exists`,
      )
      if (row.exists) return undefined
      const key = createKeyText()
      await insert(manager, key)
      return keep(key)
    })
  }

  private alone<Result>(work: (manager: EntityManager) => Promise<Result>): Promise<Result> {
    return this.dataSource.transaction(async (manager) => {
      await manager.query('SELECT pg_advisory_xact_lock($1)', [advisoryLocks.bootstrapKey])
      return work(manager)
    })
  }
}

const insert = async (manager: EntityManager, key: string): Promise<string> => {
  const id = randomUUID()
  await manager.query(
    `INSERT INTO api_keys (id, name, hash, role, is_bootstrap) VALUES ($1, 'first admin key', $2, 'admin', true)`,
    [id, hashKey(key)],
  )
  await new AuditRepository(manager).recordOwn('api_key.create', id, { role: 'admin', is_bootstrap: true })
  return id
}

const revokeOthers = async (manager: EntityManager, id: string): Promise<void> => {
  const others: { id: string }[] = await manager.query(
    `WITH revoked AS (
       UPDATE api_keys SET revoked_at = now() WHERE is_bootstrap AND revoked_at IS NULL AND id <> $1 RETURNING id
     ) SELECT id FROM revoked`,
    [id],
  )
  for (const other of others)
    await new AuditRepository(manager).recordOwn('api_key.revoke', other.id, { replaced_by: id })
}
