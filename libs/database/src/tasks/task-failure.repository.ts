import { Injectable } from '@nestjs/common'
import { shownName, type TaskState } from '#libs/tasks/contracts'
import { Conditions } from '../lists/list-sources.js'
import { ListReads } from '../lists/list-reads.js'
import { addFilter, stretchOf, type TaskFilter } from './task-filter.js'
import { lastTaskId, TaskListRepository } from './task-list.repository.js'
import { groupFailures } from './task-search.sql.js'

/** Failures with one error of one kind of task. */
export interface FailureGroup {
  readonly errorCode: string
  readonly name: string
  readonly count: number
  /** Ends of the first and of the last of them. */
  readonly firstAt: Date
  readonly lastAt: Date
  /** Some of the last. */
  readonly sample: readonly { readonly id: string; readonly message: string | null }[]
  /** How many of them were made in each part of the time. */
  readonly parts: readonly number[]
}

/** Failures of a time, by error and kind of task; most frequent first. */
export interface Failures {
  readonly groups: readonly FailureGroup[]
  /** Null if every failure of the time was counted; otherwise only those made after this moment were. */
  readonly countedFrom: Date | null
}

/** Failures of which time: each part of it is counted apart. */
export interface FailureTime {
  readonly since: Date
  readonly until: Date
  readonly parts: number
}

/** Tasks that one statement reads. */
const rowsAtOnce = 10_000
/** Counting the tasks of one state stops after this time, in milliseconds. */
const countMs = 80
/** Tasks of a sample. */
const sampleSize = 3

interface GroupRow {
  readonly seen: number
  readonly last_id: string | null
  readonly last_made: Date | null
  /** Null in the only row of a stretch of which nothing fits. */
  readonly error_code: string | null
  readonly name: string
  readonly count: number
  readonly first_at: Date
  readonly last_at: Date
  readonly part: number
  readonly sample: readonly string[]
}

interface Counted {
  readonly errorCode: string
  readonly name: string
  count: number
  firstAt: Date
  lastAt: Date
  sample: readonly string[]
  readonly parts: number[]
}

/** Groups failures, in time that does not depend on how many there are. */
@Injectable()
export class TaskFailureRepository {
  constructor(
    private readonly reads: ListReads,
    private readonly lists: TaskListRepository,
  ) {}

  /** The failures in one of the states, which must be of tasks that have ended without success. */
  async group(filter: TaskFilter, states: readonly TaskState[], time: FailureTime): Promise<Failures> {
    const known = await this.lists.withIds({ ...filter, since: time.since, until: time.until })
    const groups = new Map<string, Counted>()
    let countedFrom: Date | null = null
    for (const state of known.ids?.length === 0 ? [] : states) {
      const from = await this.countState(known, state, time, groups)
      if (from && (!countedFrom || from > countedFrom)) countedFrom = from
    }
    const sorted = [...groups.values()].toSorted((a, b) => b.count - a.count)
    return { groups: await this.withMessages(sorted), countedFrom }
  }

  /** Adds the tasks of one state to the groups. Returns the time from which on all were counted; null if every one was. */
  private async countState(
    filter: TaskFilter,
    state: TaskState,
    { since, until, parts }: FailureTime,
    groups: Map<string, Counted>,
  ): Promise<Date | null> {
    const startedAt = performance.now()
    const seconds = Math.max(0.001, (until.getTime() - since.getTime()) / 1000 / parts)
    for (let before = lastTaskId; ;) {
      const { from, values } = stretchOf(filter, { kind: 'ended', state }, before)
      const fitting = new Conditions(values)
      addFilter(fitting, filter, [state])
      const stretch = { stretch: from, fits: fitting.text, rows: rowsAtOnce }
      const first = `${fitting.bind(since)}::timestamptz`
      const length = `${fitting.bind(seconds)}::float8`
      const sql = groupFailures(stretch, { from: first, seconds: length, parts })
      const rows = await this.reads.query<GroupRow>(sql, fitting.values)
      for (const row of rows) addTo(groups, row, parts)
      const [end] = rows
      if (!end?.last_id || end.seen < rowsAtOnce) return null
      if (performance.now() - startedAt > countMs) return end.last_made
      before = end.last_id
    }
  }

  private async withMessages(groups: readonly Counted[]): Promise<readonly FailureGroup[]> {
    const ids = groups.flatMap(({ sample }) => sample)
    const rows: { id: string; error_message: string | null }[] = await this.reads.query(
      'SELECT id, error_message FROM tasks WHERE id = ANY($1::uuid[])',
      [ids],
    )
    const messages = new Map(rows.map(({ id, error_message: message }) => [id, message]))
    return groups.map((group) => ({
      ...group,
      sample: group.sample.map((id) => ({ id, message: messages.get(id) ?? null })),
    }))
  }
}

const addTo = (groups: Map<string, Counted>, row: GroupRow, parts: number): void => {
  if (row.error_code === null) return
  const name = shownName(row.name)
  const key = `${row.error_code} ${name}`
  const group = groups.get(key) ?? {
    errorCode: row.error_code,
    name,
    count: 0,
    firstAt: row.first_at,
    lastAt: row.last_at,
    sample: [],
    parts: Array.from({ length: parts }, () => 0),
  }
  groups.set(key, group)
  group.count += row.count
  if (row.first_at < group.firstAt) group.firstAt = row.first_at
  if (row.last_at > group.lastAt) group.lastAt = row.last_at
  group.sample = [...group.sample, ...row.sample].toSorted((a, b) => (a > b ? -1 : 1)).slice(0, sampleSize)
  group.parts[row.part] = (group.parts[row.part] ?? 0) + row.count
}
