import { bareRequest, CeleryConnections, celeryError, CeleryResults, type Stamps } from '#libs/celery'
import { CeleryCallRepository, CeleryRevokeRepository, stampKey } from '#libs/database'
import { LOGGER, type Logger } from '#libs/platform'
import { ResultParts, revokeTasks } from '#libs/tasks'
import { Inject, Injectable } from '@nestjs/common'

/** Longest time that storing a call usually takes, in milliseconds. */
const storingMs = 1_000

/** Ids that are handled together: others have their turn between them. */
const sliceSize = 500

const slicesOf = (ids: readonly string[]): readonly (readonly string[])[] =>
  Array.from({ length: Math.ceil(ids.length / sliceSize) }, (_, index) =>
    ids.slice(index * sliceSize, (index + 1) * sliceSize),
  )

/** Revokes calls: those that are stored, and those that may still come, which the database remembers. */
@Injectable()
export class CallRevokes {
  constructor(
    private readonly repository: CeleryCallRepository,
    private readonly stored: CeleryRevokeRepository,
    private readonly parts: ResultParts,
    private readonly results: CeleryResults,
    private readonly connections: CeleryConnections,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** Ids that were revoked lately, the newest first. */
  listRecent(limit: number): Promise<readonly string[]> {
    return this.stored.listRecent(limit)
  }

  async revoke(ids: readonly string[], terminate: boolean): Promise<void> {
    for (const some of slicesOf(ids)) await this.revokeSome(some, terminate)
  }

  /** Takes over what other workers know as revoked. Their callers have been told. */
  async learn(ids: readonly string[]): Promise<void> {
    for (const some of slicesOf(ids)) {
      await this.stored.store(some)
      await this.revokeOpen(some, false)
    }
  }

  private async revokeSome(ids: readonly string[], terminate: boolean): Promise<void> {
    await this.stored.store(ids)
    const known = await this.repository.listKnown(ids)
    await this.revokeOpen(ids, terminate)
    // A call that was just being stored, by whichever gateway, did not see the revoke.
    setTimeout(() => {
      this.revokeOpen(ids, terminate).catch((error: unknown) => {
        this.log.warn({ err: error }, 'Celery calls not revoked')
      })
    }, storingMs).unref()
    await this.storeUnknown(ids.filter((id) => !known.has(id)))
  }

  /** Returns the stamps of which calls were found. */
  async revokeStamped(stamps: Stamps, terminate: boolean): Promise<Stamps> {
    const revoked: Record<string, readonly string[]> = {}
    for (const [header, values] of Object.entries(stamps)) {
      const keys = values.map((value) => stampKey(header, value))
      await this.stored.store(keys)
      const ids = await this.repository.listStamped(keys)
      await this.revokeOpen(ids, terminate)
      if (ids.length > 0) revoked[header] = values
    }
    return revoked
  }

  /**
   * Stores calls as revoked that nobody has taken yet, so that their callers need not wait until somebody does. One that
   * has a state is another worker's.
   */
  private async storeUnknown(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const keys = ids.map((id) => this.connections.backendKey(`celery-task-meta-${id}`))
    const stored = await this.connections.backend.mget(keys)
    const outcome = { state: 'REVOKED', exception: celeryError('TaskRevokedError', 'revoked') } as const
    const unknown = ids.filter((_, index) => stored[index] === null)
    await this.results.finish(unknown.map((id) => ({ request: bareRequest(id, '', ''), outcome })))
  }

  /** As with Celery, a task that runs goes on unless it is to be terminated. */
  private async revokeOpen(ids: readonly string[], terminate: boolean): Promise<void> {
    const tasks = await this.repository.listOpenTasks(ids, terminate)
    if (tasks.length > 0) await revokeTasks(this.parts, tasks, terminate)
  }
}
