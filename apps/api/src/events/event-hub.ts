import { TaskEventRepository } from '#libs/database'
import { LOGGER, MemoryGuardError, type Logger } from '#libs/platform'
import { FinishedTasks } from '#libs/tasks'
import { Inject, Injectable } from '@nestjs/common'
import { reaches, type Principal } from '../access/access.js'
import { EventInbox } from './event-inbox.js'
import { compareKeys, formatKey, type EventKey } from './event-key.js'
import type { EventSource } from './event-streams.js'
import { EventTail, readEvents, type EventPage, type TailParts } from './event-tail.js'
import type { StreamEvent } from './event-frames.js'
import type { EventsQuery, TaskEvent } from './events.schemas.js'

/** How far back a client may resume, in milliseconds: the missed events are read from the table of tasks. */
const maxBackMs = 3_600_000

/** The stream of all tasks. One tail reads for every client of the process, and only while there is one. */
@Injectable()
export class EventHub {
  private readonly inboxes = new Set<EventInbox>()
  private tail: Promise<EventTail> | undefined
  private reading: Promise<unknown> = Promise.resolve()
  private readonly parts: TailParts

  constructor(repository: TaskEventRepository, finished: FinishedTasks, @Inject(LOGGER) log: Logger) {
    this.parts = { repository, finished, log }
  }

  /**
   * Events that fit, after `after`, or from now on.
   * @throws MemoryGuardError RESOURCE_GONE if `after` is too long ago; what the database throws.
   */
  async follow(
    filter: EventsQuery,
    principal: Principal,
    after: EventKey | undefined,
    signal: AbortSignal,
  ): Promise<EventSource> {
    const inbox = new EventInbox()
    this.inboxes.add(inbox)
    signal.addEventListener('abort', () => this.leave(inbox), { once: true })
    const { cursor: live } = await (this.tail ??= this.startTail())
    if (after && after.at < live.at - maxBackMs) {
      throw new MemoryGuardError(
        'RESOURCE_GONE',
        'This Last-Event-ID is more than an hour old. Start without it, and read GET /v1/tasks for what you have missed.',
      )
    }
    let position = after ?? live
    const fits = ({ name, queue, state, user_id }: TaskEvent) =>
      (filter.name ?? name) === name &&
      (filter.queue ?? queue) === queue &&
      (filter.state?.includes(state) ?? true) &&
      reaches(principal, user_id)
    const pages = this.pages(inbox, position, live, signal)
    async function* events(): AsyncGenerator<StreamEvent> {
      for await (const { events, until } of pages) {
        for (const { key, data } of events) {
          if (compareKeys(key, position) <= 0) continue
          position = key
          if (fits(data)) yield { id: formatKey(key), event: `task.${data.state}`, data }
        }
        if (compareKeys(until, position) > 0) position = until
      }
    }
    return { events: events(), position: () => formatKey(position) }
  }

  /** First what the client has missed, then what arrives. */
  private async *pages(
    inbox: EventInbox,
    after: EventKey,
    live: EventKey,
    signal: AbortSignal,
  ): AsyncGenerator<EventPage> {
    for (let missing = after; compareKeys(missing, live) < 0 && !signal.aborted;) {
      const since = missing
      const page = await this.inTurn(async () =>
        signal.aborted ? undefined : (await readEvents(this.parts.repository, since, live, null)).page,
      )
      if (!page) return
      yield page
      missing = page.until
    }
    for (let page = await inbox.take(); page; page = await inbox.take()) yield page
  }

  /** One read of the whole table at a time, however many clients come back at once. */
  private inTurn<Result>(read: () => Promise<Result>): Promise<Result> {
    const page = this.reading.then(read)
    this.reading = page.catch(() => undefined)
    return page
  }

  private startTail(): Promise<EventTail> {
    const starting = EventTail.start(this.parts, (page) => {
      for (const inbox of this.inboxes) inbox.put(page)
    })
    starting.catch(() => {
      if (this.tail === starting) this.tail = undefined
    })
    return starting
  }

  private leave(inbox: EventInbox): void {
    inbox.close()
    this.inboxes.delete(inbox)
    if (this.inboxes.size > 0) return
    const { tail } = this
    this.tail = undefined
    tail?.then(
      (ended) => ended.stop(),
      () => undefined,
    )
  }
}
