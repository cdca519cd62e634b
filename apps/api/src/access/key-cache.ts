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
  until: number
  /** Absent during the look-up. */
  found?: Principal | null
  /** At the look-up before this one, or at this one when it has ended. */
  wasValid: boolean
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
    const entry: CachedKey = { principal, until: now + ttlMs, wasValid: hit?.wasValid ?? false }
    this.cached.set(key, entry)
    void this.note(key, entry)
    return principal
  }

  /** What a look-up would find now, if that is known without one. */
  peek(key: string): Principal | null | undefined {
    const hit = this.cached.get(key)
    return hit && hit.until > Date.now() ? hit.found : undefined
  }

  /** Whether the key was valid when it was looked up last, however long ago. */
  wasValid(key: string): boolean {
    return this.cached.get(key)?.wasValid ?? false
  }

  /** Whether a look-up of the key is in progress; other requests with the same key share its result. */
  isUnderWay(key: string): boolean {
    const hit = this.cached.get(key)
    return hit !== undefined && hit.until > Date.now() && hit.found === undefined
  }

  /** Believes no look-up any more, because a key has changed. */
  clear(): void {
    for (const entry of this.cached.values()) entry.until = 0
  }

  private async note(key: string, entry: CachedKey): Promise<void> {
    try {
      entry.found = await entry.principal
      entry.wasValid = entry.found !== null
    } catch {
      // A failed look-up is no knowledge of the key.
      this.cached.delete(key)
    }
  }

  private async load(key: string): Promise<Principal | null> {
    const row = await this.keys.findValid(key)
    return row && { id: row.id, role: row.role, userId: row.userId === null ? null : Number(row.userId) }
  }
}
