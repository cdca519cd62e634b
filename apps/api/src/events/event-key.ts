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

/** @throws MemoryGuardError REQUEST_INVALID */
export const parseKey = (text: string): EventKey => {
  const match = /^(\d{1,15})\.([0-9a-f-]{36})\.(\d{1,10})$/.exec(text)
  const [, at, taskId, place] = match ?? []
  if (at === undefined || taskId === undefined || place === undefined) throw unknownEventId()
  return { at: Number(at), taskId, place: Number(place) }
}

/** The Last-Event-ID of a request is none of this stream. */
export const unknownEventId = (): MemoryGuardError =>
  new MemoryGuardError('REQUEST_INVALID', 'The Last-Event-ID header is no id of this stream.', {
    faults: [{ pointer: 'Last-Event-ID', message: 'must be the id of an event of this stream' }],
  })
