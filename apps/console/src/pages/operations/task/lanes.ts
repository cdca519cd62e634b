import type { Schemas } from '../../../api/client.ts'
import { formatDuration } from '../../../format/times.ts'

type Task = Schemas['Task']
type Attempt = Task['attempts'][number]

/** What a task did in a part of its life. */
export type PartKind = 'scheduled' | 'waited' | 'ran'

export interface LanePart {
  readonly kind: PartKind
  /** Milliseconds since 1970. */
  readonly from: number
  readonly to: number
  /** `waited 12 s for a free slot` */
  readonly words: string
}

/** An attempt with the time before it: what is drawn in one line. */
export interface Lane {
  readonly attempt: number
  readonly worker: string | null
  /** How it ended; undefined while it has not. */
  readonly outcome: string | undefined
  readonly error: Attempt['error']
  readonly parts: readonly LanePart[]
  /** When its outcome was stored. */
  readonly storedAt: number | undefined
}

const time = (at: string): number => new Date(at).getTime()
const length = (from: number, to: number): string => formatDuration((to - from) / 1000)

const part = (kind: PartKind, from: number, to: number, words: (length: string) => string): readonly LanePart[] =>
  to > from ? [{ kind, from, to, words: words(length(from, to)) }] : []

/** Why an attempt had to wait after the one before it, by how that one ended. */
const afterOutcome = (outcome: string, span: string): string => {
  if (outcome === 'lost') return `waited ${span} after its worker was lost`
  if (outcome === 'released') return `waited ${span} after its worker handed it back`
  return `waited ${span} to be tried again`
}

/** What a task does until the time that it is planned for. */
const planned = (from: number, due: number, to: number): string =>
  `planned for ${length(from, due)} later${to < due ? `: it can start in ${length(to, due)}` : ''}`

/** The wait before an attempt that began at `to`, or the one that goes on until now. */
const waitBefore = (task: Task, before: Attempt | undefined, to: number, isLast: boolean, isOver: boolean) => {
  const from = before ? time(before.ended_at) : time(task.created_at)
  const due = before ? undefined : task.eta === null ? from : Math.max(time(task.eta), from)
  const verb = isOver ? 'waited' : 'waiting'
  const slot = (span: string) => `${verb} ${span} for a free slot`
  if (due !== undefined)
    return [
      ...part('scheduled', from, Math.min(due, to), () => planned(from, due, to)),
      ...part('waited', Math.min(due, to), to, slot),
    ]
  if (!before) return []
  const available = time(task.available_at)
  // Only the time for which the last attempt was planned is known.
  if (before.outcome === 'retried' && isLast && available > from)
    return [
      ...part('scheduled', from, Math.min(available, to), (span) =>
        to < available ? `tried again in ${length(to, available)}` : `waited ${span} before the next try`,
      ),
      ...part('waited', Math.min(available, to), to, slot),
    ]
  return part('waited', from, to, (span) => afterOutcome(before.outcome, span))
}

/** A line for each attempt, and one for the attempt that it waits for or that runs. */
export const lanesOf = (task: Task, now: number): readonly Lane[] => {
  const lanes = task.attempts.map((attempt, index): Lane => {
    const [started, ended] = [attempt.started_at && time(attempt.started_at), time(attempt.ended_at)]
    return {
      attempt: attempt.attempt,
      worker: attempt.worker,
      outcome: attempt.outcome,
      error: attempt.error,
      parts: [
        ...waitBefore(task, task.attempts[index - 1], started || ended, attempt.attempt === task.attempt, true),
        ...(started ? part('ran', started, ended, (span) => `ran ${span}`) : []),
      ],
      storedAt: ended,
    }
  })
  const last = task.attempts.at(-1)
  const finished = task.finished_at === null ? undefined : time(task.finished_at)
  const isRunning = task.attempt > (last?.attempt ?? 0) && task.started_at !== null
  // The end of the last attempt is that of the task, unless it was ended from outside.
  if (!isRunning && finished !== undefined && last !== undefined && time(last.ended_at) >= finished) return lanes
  return [...lanes, openLane(task, last, now, isRunning)]
}

/** The attempt that runs or is waited for, or that never ended by itself. */
const openLane = (task: Task, last: Attempt | undefined, now: number, isRunning: boolean): Lane => {
  const finished = task.finished_at === null ? undefined : time(task.finished_at)
  const started = isRunning && task.started_at !== null ? time(task.started_at) : undefined
  const end = finished ?? now
  const ran =
    started === undefined ? [] : part('ran', started, end, (span) => (finished ? `ran ${span}` : `running for ${span}`))
  return {
    attempt: started === undefined ? (last?.attempt ?? 0) + 1 : task.attempt,
    worker: started === undefined ? null : task.worker,
    outcome: finished === undefined ? undefined : task.state,
    error: null,
    parts: [...waitBefore(task, last, started ?? end, true, started !== undefined || finished !== undefined), ...ran],
    storedAt: finished,
  }
}
