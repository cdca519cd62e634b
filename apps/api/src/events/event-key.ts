import { firstTaskId } from '#libs/database'
import { MemoryGuardError } from '#libs/platform'

/** Where a change of a task stands among all changes of all tasks: by time, then by task, then by place. */
export interface EventKey {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly taskId: string
  /** As of `TimelineEntry`. */
  readonly place: number
}

/** Before every change of a millisecond. */
export const startOf = (at: number): EventKey => ({ at, taskId: firstTaskId, place: 0 })

/** Negative if `a` comes before `b`. */
export const compareKeys = (a: EventKey, b: EventKey): number =>
  a.at - b.at || (a.taskId < b.taskId ? -1 : a.taskId > b.taskId ? 1 : a.place - b.place)

export const formatKey = ({ at, taskId, place }: EventKey): string => `${at}.${taskId}.${place}`

/** The database's clock, which dates the changes, may be this far ahead of the one here, in milliseconds. */
const maxAheadMs = 24 * 3_600_000

const keyForm = /^(\d{1,15})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(\d{1,10})$/

/** @throws MemoryGuardError REQUEST_INVALID, also for a time that has not come. */
export const parseKey = (text: string): EventKey => {
  const [, at, taskId, place] = keyForm.exec(text) ?? []
  if (at === undefined || taskId === undefined || place === undefined) throw unknownEventId()
  if (Number(at) > Date.now() + maxAheadMs) throw unknownEventId()
  return { at: Number(at), taskId, place: Number(place) }
}

/** The Last-Event-ID of a request is none of this stream. */
export const unknownEventId = (): MemoryGuardError =>
  new MemoryGuardError('REQUEST_INVALID', 'The Last-Event-ID header is no id of this stream.', {
    faults: [{ pointer: 'Last-Event-ID', message: 'must be the id of an event of this stream' }],
  })
