import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { isDatabaseUnavailable } from '#libs/database'
import { CONFIG, LOGGER, MemoryGuardError, type Config, type Logger } from '#libs/platform'
import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import { principalOf, type RequestWithPrincipal } from '../access/access.js'
import { CredentialCache, streamCheckMs } from '../access/credential-cache.js'
import { eventFrame, heartbeatFrame, openingFrame, type StreamEvent } from './event-frames.js'

/** Where the events of a stream come from. */
export interface EventSource {
  /** Ends when there is nothing more to come, or soon after `signal` is aborted. */
  readonly events: AsyncIterator<StreamEvent>
  /** Id from which a client resumes that has received all events so far; filtered-out events advance it too. */
  readonly position?: () => string
}

/** Open streams in one process. Each holds a connection; a client that finds no room tries again. */
const maxStreams = 1_000

/**
 * Writes server-sent events. A client that reads slowly slows down its own source and nothing else, for the next event
 * is fetched when the one before has left. Streams end with their client, with their key or session, and before the process does.
 */
@Injectable()
export class EventStreams implements BeforeApplicationShutdown {
  /** Open streams with the ids of their keys. */
  private readonly open = new Map<AbortController, string>()
  private isStopping = false

  constructor(
    private readonly credentials: CredentialCache,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /**
   * Responds to a request with a stream; resolves when its headers have left.
   * @throws what `start` throws, before anything was written.
   */
  async serve(
    request: RequestWithPrincipal,
    reply: FastifyReply,
    start: (signal: AbortSignal) => EventSource | Promise<EventSource>,
  ): Promise<void> {
    const keyId = principalOf(request).id
    this.mustHaveRoom(keyId)
    // Its `close` has been, so that nothing would end the stream.
    if (reply.raw.destroyed) return
    void reply
      .header('content-type', 'text/event-stream; charset=utf-8')
      .header('cache-control', 'no-store, no-transform')
      .header('x-accel-buffering', 'no')
    if (request.method === 'HEAD') return void (await reply.send())
    const closing = new AbortController()
    this.open.set(closing, keyId)
    reply.raw.once('close', () => this.end(closing))
    try {
      const source = await start(closing.signal)
      const frames = this.frames(source, this.credentials.of(request) ?? '', closing)
      await reply.send(Readable.from(frames, { objectMode: false }))
    } catch (error) {
      this.end(closing)
      throw error
    }
  }

  /** An open stream would keep the process from closing its connections. */
  beforeApplicationShutdown(): void {
    this.isStopping = true
    for (const closing of this.open.keys()) closing.abort()
  }

  /** @throws MemoryGuardError RATE_LIMITED for a key that has its share, SERVER_BUSY if no stream is left for anyone. */
  private mustHaveRoom(keyId: string): void {
    if (this.isStopping || this.open.size >= maxStreams) {
      throw new MemoryGuardError('SERVER_BUSY', 'No further stream can be opened here now; try again.')
    }
    const share = this.config.http.rateLimits.streamsPerKey
    const own = [...this.open.values()].filter((id) => id === keyId).length
    if (own < share) return
    throw new MemoryGuardError('RATE_LIMITED', `This key has ${share} streams open; close one of them first.`)
  }

  private end(closing: AbortController): void {
    closing.abort()
    this.open.delete(closing)
  }

  private async *frames(
    { events, position }: EventSource,
    credential: string,
    closing: AbortController,
  ): AsyncGenerator<string> {
    const heartbeatMs = this.config.events.heartbeatSeconds * 1000
    let checkedAt = performance.now()
    let writtenAt = checkedAt
    try {
      yield openingFrame(position?.())
      let next = events.next()
      while (!closing.signal.aborted) {
        const arrived = await nextOrSilence(next, Math.min(heartbeatMs, streamCheckMs))
        const now = performance.now()
        if (now - checkedAt >= streamCheckMs) {
          if (!(await this.isStillLetIn(credential))) return
          checkedAt = now
        }
        if (arrived !== 'silence') {
          if (arrived.done) return
          yield eventFrame(arrived.value)
          next = events.next()
        } else if (now - writtenAt < heartbeatMs) {
          continue
        } else {
          yield heartbeatFrame(position?.())
        }
        writtenAt = performance.now()
      }
    } catch (error) {
      // The headers have been sent, so the stream can only be closed; the client resumes from its last event.
      this.log[isDatabaseUnavailable(error) ? 'warn' : 'error']({ err: error }, 'an event stream was cut off')
    } finally {
      this.end(closing)
    }
  }

  /** A stream ends when its key, token or session does. While that cannot be checked, the stream continues. */
  private async isStillLetIn(credential: string): Promise<boolean> {
    try {
      return (await this.credentials.find(credential)) !== null
    } catch (error) {
      if (isDatabaseUnavailable(error)) return true
      if (!(error instanceof MemoryGuardError)) throw error
      // A token that gives no role any more; an issuer that does not respond says nothing about the token.
      return error.code === 'OIDC_UNAVAILABLE'
    }
  }
}

/** The next event, or `silence` after some milliseconds without one. */
const nextOrSilence = async (next: Promise<IteratorResult<StreamEvent>>, silenceMs: number) => {
  const timer = new AbortController()
  const silence = pause(silenceMs, 'silence' as const, { signal: timer.signal })
  // Cut short when an event came first.
  silence.catch(() => undefined)
  try {
    return await Promise.race([next, silence])
  } finally {
    timer.abort()
  }
}
