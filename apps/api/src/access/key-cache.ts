import { ApiKeyRepository } from '#libs/database'
import { Injectable } from '@nestjs/common'
import type { Principal } from './access.js'

/**
 * How long a look-up is believed, in milliseconds. Together with `streamCheckMs` it keeps the promise that a revoked key
 * works for 5 s at most.
 */
const ttlMs = 3_000
/** How often the key of an open stream is looked up, in milliseconds. */
export const streamCheckMs = 1_500
/** Beyond this many keys the cache starts anew, so that guessing costs no memory. */
const maxKeys = 1_000

interface CachedKey {
  readonly principal: Promise<Principal | null>
  readonly until: number
}

/** The keys seen lately, valid or not, so that a request costs no query. */
@Injectable()
export class KeyCache {
  private readonly cached = new Map<string, CachedKey>()

  constructor(private readonly keys: ApiKeyRepository) {}

  find(key: string): Promise<Principal | null> {
    const now = Date.now()
    const hit = this.cached.get(key)
    if (hit && hit.until > now) return hit.principal
    if (this.cached.size >= maxKeys) this.cached.clear()
    const principal = this.load(key)
    this.cached.set(key, { principal, until: now + ttlMs })
    // A failed look-up is no knowledge of the key.
    principal.catch(() => this.cached.delete(key))
    return principal
  }

  /** Forgets every look-up, because a key has changed. */
  clear(): void {
    this.cached.clear()
  }

  private async load(key: string): Promise<Principal | null> {
    const row = await this.keys.findValid(key)
    return row && { id: row.id, role: row.role, userId: row.userId === null ? null : Number(row.userId) }
  }
}
