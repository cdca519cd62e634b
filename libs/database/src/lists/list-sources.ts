import { terminalStates, type TaskState } from '#libs/tasks/contracts'
import type { ListReads } from './list-reads.js'
import { stepRows } from './bounded-walk.js'

/**
 * How a task ended without success, read off its error, as the indexes have it: its state may stand in no index (see the
 * migration). One that is still to be tried again counts as failed.
 */
export const endKind = `(CASE error_code WHEN 'TASK_REVOKED' THEN 'cancelled' WHEN 'TASK_EXPIRED' THEN 'expired'
  WHEN 'TASK_HARD_TIME_LIMIT' THEN 'timed_out' WHEN 'TASK_SOFT_TIME_LIMIT' THEN 'timed_out' ELSE 'failed' END)`

/** Which rows a list of some states is read from. */
export type StateSource =
  /** Every row: most of them fit. */
  | { readonly kind: 'all' }
  /** Tasks that have not ended. */
  | { readonly kind: 'unfinished' }
  /** Tasks that have ended, however. */
  | { readonly kind: 'finished' }
  /** Tasks that ended in this way, by an index that holds no others. */
  | { readonly kind: 'ended'; readonly state: TaskState }

const all: readonly StateSource[] = [{ kind: 'all' }]

/** The sources that together hold every task in one of the states, each task once. */
export const sourcesOfStates = (states: readonly TaskState[] | undefined): readonly StateSource[] => {
  if (!states || states.includes('succeeded')) return all
  const ended = [...new Set(states)].filter((state) => terminalStates.includes(state))
  return [
    ...(states.some((state) => !terminalStates.includes(state)) ? [{ kind: 'unfinished' as const }] : []),
    ...ended.map((state) => ({ kind: 'ended' as const, state })),
  ]
}

/** Whether the unfinished tasks are few enough to be read and sorted as a whole; a long backlog is walked instead. */
export const areUnfinishedFew = async (reads: ListReads, most = stepRows): Promise<boolean> => {
  const rows: { count: number }[] = await reads.query(
    `SELECT count(*)::integer AS count FROM (SELECT FROM tasks WHERE finished_at IS NULL LIMIT ${most + 1}) AS few`,
  )
  return (rows[0]?.count ?? 0) <= most
}

/** A list of conditions with the values of their parameters. */
export class Conditions {
  readonly values: unknown[]
  private readonly texts: string[] = []

  /** After these parameters. */
  constructor(values: readonly unknown[] = []) {
    this.values = [...values]
  }

  /** Adds a condition; each `?` in it stands for the value. */
  add(text: string, value?: unknown): this {
    if (value === undefined) this.texts.push(text)
    else this.texts.push(text.replaceAll('?', this.bind(value)))
    return this
  }

  /** The parameter of a value. */
  bind(value: unknown): string {
    this.values.push(value)
    return `$${this.values.length}`
  }

  get text(): string {
    return this.texts.length > 0 ? this.texts.join(' AND ') : 'true'
  }
}
