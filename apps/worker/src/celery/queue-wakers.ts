import { setTimeout as pause } from 'node:timers/promises'
import { CeleryConnections } from '#libs/celery'
import { Injectable } from '@nestjs/common'
import type { Redis } from 'ioredis'

/** How long one wait lasts at most, in seconds. */
const waitSeconds = 5
/** A list that has only messages of others is not waited for again within this time, in milliseconds. */
const coolMs = 50
/** More lists are not waited for: each takes a connection. */
const maxLists = 8

/**
 * Wakes who waits for messages as soon as one comes. Redis moves the last element of a list to where it stands, which it
 * can do only once there is one: so the wait takes nothing, and leaves the order as it is.
 */
@Injectable()
export class QueueWakers {
  private readonly waiting = new Map<string, Redis>()
  private readonly coolUntil = new Map<string, number>()
  /** Lists with a new message since the last read, and those that the current read covers. */
  private woken = new Set<string>()
  private lookedAt = new Set<string>()
  private readonly idle = new Map<string, Redis>()
  private onWoken: () => void = () => undefined

  constructor(private readonly connections: CeleryConnections) {}

  /** Call it before the lists are read: a message that came before is ours and gets read, or it is of another program. */
  beginLook(): void {
    this.lookedAt = this.woken
    this.woken = new Set()
  }

  /** Call it when the read has found messages of ours: their lists are waited for again at once. */
  endLook(): void {
    this.lookedAt.clear()
  }

  /** Resolves when a message has come into one of the lists since the last look, or after `ms`. */
  async wait(lists: readonly string[], ms: number): Promise<void> {
    const now = performance.now()
    for (const list of this.lookedAt) this.coolUntil.set(list, now + coolMs)
    this.lookedAt.clear()
    if (lists.some((list) => this.woken.has(list))) return
    const ended = new AbortController()
    const woken = new Promise<void>((resolve) => (this.onWoken = resolve))
    for (const list of lists.slice(0, maxLists)) {
      if (!this.waiting.has(list) && (this.coolUntil.get(list) ?? 0) <= now) void this.begin(list)
    }
    await Promise.race([woken, pause(ms, undefined, { signal: ended.signal }).catch(() => undefined)])
    ended.abort()
  }

  /** Ends a wait now. */
  wake(): void {
    this.onWoken()
  }

  stop(): void {
    for (const redis of this.idle.values()) redis.disconnect()
  }

  private async begin(list: string): Promise<void> {
    const redis = this.idle.get(list) ?? this.connections.subscriber()
    this.idle.set(list, redis)
    this.waiting.set(list, redis)
    try {
      const key = this.connections.key(list)
      const moved = await redis.blmove(key, key, 'RIGHT', 'RIGHT', waitSeconds)
      if (moved === null) return
      this.woken.add(list)
      this.onWoken()
    } catch {
      // The connection is being made anew; the lists are polled meanwhile.
      this.coolUntil.set(list, performance.now() + 1_000)
    } finally {
      this.waiting.delete(list)
    }
  }
}
