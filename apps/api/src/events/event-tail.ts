import type { EventClock, TaskEventRepository, TaskHistory } from '#libs/database'
import { PeriodicLoop, type Logger } from '#libs/platform'
import { NotifiedEnds, type FinishedTasks } from '#libs/tasks'
import { compareKeys, startOf, type EventKey } from './event-key.js'
import { toTaskEvent, type TaskEvent } from './events.schemas.js'

/** An event with its place in the stream of all tasks. */
export interface KeyedEvent {
  readonly key: EventKey
  readonly data: TaskEvent
}

/** Consecutive events: all there are after the ones before, up to `until`. */
export interface EventPage {
  readonly events: readonly KeyedEvent[]
  readonly until: EventKey
}

/** What a tail needs of the system. */
export interface TailParts {
  readonly repository: TaskEventRepository
  readonly finished: FinishedTasks
  readonly log: Logger
}

const pollMs = 500
/** Rest after a poll, as a multiple of the time it took: the database is never kept busy by it. */
const restFactor = 10
/** Most tasks of one poll. */
const pageSize = 2_000

/**
 * The changes of all tasks in one order, by time, from now on: unfinished tasks by their partial index, finished ones
 * by the ids in the database's notifications. Only after lost notifications is the table searched for finished tasks.
 *
 * It leaves out changes whose transaction may not have ended yet, so that the order is final: a client that has received
 * an event has received all before it.
 */
export class EventTail {
  private readonly ends: NotifiedEnds
  private isStopped = false
  private readonly loop: PeriodicLoop

  private constructor(
    private readonly parts: TailParts,
    private readonly onPage: (page: EventPage) => void,
    private current: EventKey,
  ) {
    this.ends = new NotifiedEnds(parts.finished)
    this.loop = new PeriodicLoop({ name: 'events', intervalMs: pollMs, run: () => this.poll() }, parts.log)
    this.loop.start()
  }

  /** @throws what the database throws: then nothing was started. */
  static async start(parts: TailParts, onPage: (page: EventPage) => void): Promise<EventTail> {
    const { now } = await parts.repository.readClock()
    return new EventTail(parts, onPage, startOf(now))
  }

  /** All before it has been given out. */
  get cursor(): EventKey {
    return this.current
  }

  stop(): void {
    this.isStopped = true
    void this.loop.stop()
    this.ends.stop()
  }

  /** Returns the time until the next poll, in milliseconds. */
  private async poll(): Promise<number> {
    const startedAt = performance.now()
    try {
      await this.advance(await this.parts.repository.readClock())
    } catch (error) {
      this.parts.log.warn({ err: error }, 'task changes not read; trying again')
    }
    return Math.max(pollMs, restFactor * (performance.now() - startedAt))
  }

  private async advance(clock: EventClock): Promise<void> {
    const { settled } = clock
    if (settled <= this.current.at) return
    const { ids, isComplete } = await this.ends.collect(clock, this.current.at)
    const known = isComplete ? ids : null
    const { page, tasks } = await readEvents(this.parts.repository, this.current, startOf(settled), known)
    if (this.isStopped) return
    this.current = page.until
    const later = new Set(tasks.filter((task) => changesAfter(task, page.until)).map(({ id }) => id))
    const isWhole = page.until.at === settled
    const found = new Set(tasks.map(({ id }) => id))
    // If the page is complete, notified tasks that are not in it ended before it.
    this.ends.forget(ids.filter((id) => !later.has(id) && (isWhole || found.has(id))))
    this.onPage(page)
  }
}

/**
 * Events after `after`, up to `until` or as many as a page holds, with the tasks they were read from. `finished` as of
 * `TaskEventRepository.listChanged`.
 */
export const readEvents = async (
  repository: TaskEventRepository,
  after: EventKey,
  until: EventKey,
  finished: readonly string[] | null,
  limit = pageSize,
): Promise<{ readonly page: EventPage; readonly tasks: readonly TaskHistory[] }> => {
  const { tasks, completeUntil } = await repository.listChanged(after.at, finished, limit)
  // More tasks changed in one millisecond than a page holds.
  if (completeUntil !== null && completeUntil <= after.at) {
    return readEvents(repository, after, until, finished, 2 * limit)
  }
  const end = completeUntil === null || until.at < completeUntil ? until : startOf(completeUntil)
  const events = tasks
    .flatMap(toKeyed)
    .filter(({ key }) => compareKeys(key, after) > 0 && compareKeys(key, end) <= 0)
    .toSorted((a, b) => compareKeys(a.key, b.key))
  return { page: { events, until: end }, tasks }
}

const toKeyed = (task: TaskHistory): readonly KeyedEvent[] =>
  task.timeline.map((entry) => ({
    key: { at: Date.parse(entry.at), taskId: task.id, place: entry.place },
    data: toTaskEvent(task, entry, undefined),
  }))

const changesAfter = ({ timeline }: TaskHistory, until: EventKey): boolean =>
  timeline.some(({ at }) => Date.parse(at) >= until.at)
