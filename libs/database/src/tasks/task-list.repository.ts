import { Injectable } from '@nestjs/common'
import { batchPredictions, processPrediction, storedNames, type TaskState } from '#libs/tasks/contracts'
import { DataSource, In } from 'typeorm'
import { mergePages, stepRows, walk, type ListPage, type WalkStep } from '../lists/bounded-walk.js'
import { TaskEntity } from './task.entity.js'
import { ListReads } from '../lists/list-reads.js'
import { areUnfinishedFew, Conditions, endKind, sourcesOfStates, type StateSource } from '../lists/list-sources.js'
import { firstIdOf } from '../lists/uuid-time.js'

/** Which tasks: all that fit every condition that is set. */
export interface TaskFilter {
  readonly ids?: readonly string[] | undefined
  readonly name?: string | undefined
  readonly states?: readonly TaskState[] | undefined
  readonly queue?: string | undefined
  readonly worker?: string | undefined
  readonly errorCode?: string | undefined
  readonly userId?: number | undefined
  readonly since?: Date | undefined
  /** Only those that may be done again: not yet done again, and no batch. */
  readonly mayReplay?: boolean | undefined
  /** Only tasks with a smaller id. */
  readonly before?: string | undefined
}

/** A count of tasks. */
export interface TaskCount {
  readonly count: number
  /** False if counting was given up: there may be more. */
  readonly isComplete: boolean
}

/** Greater than the id of any task. */
const lastTaskId = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/** Tasks that are counted in one page of a count. */
const countedAtOnce = 10_000
/** Counting is given up after this long, in milliseconds. */
const countMs = 200

const idOf = (id: string): string => id
const isAbove = (a: string, b: string): boolean => a > b

/** The history of tasks, newest first, in time that does not depend on its length: see `walk`. */
@Injectable()
export class TaskListRepository {
  constructor(
    private readonly dataSource: DataSource,
    private readonly reads: ListReads,
  ) {}

  /** At most `limit` tasks. */
  async list(filter: TaskFilter, limit: number): Promise<ListPage<TaskEntity>> {
    const { rows: ids, next } = await this.listIds(filter, limit)
    if (ids.length === 0) return { rows: [], next }
    const tasks = await this.dataSource.getRepository(TaskEntity).findBy({ id: In([...ids]) })
    return { rows: tasks.toSorted((a, b) => (a.id > b.id ? -1 : 1)), next }
  }

  /** Counts tasks; gives up after a time. */
  async count(filter: TaskFilter): Promise<TaskCount> {
    const startedAt = performance.now()
    let count = 0
    for (let { before } = filter; ;) {
      const { rows, next } = await this.listIds({ ...filter, before }, countedAtOnce)
      count += rows.length
      if (next === null) return { count, isComplete: true }
      if (performance.now() - startedAt > countMs) return { count, isComplete: false }
      before = next
    }
  }

  private async listIds(filter: TaskFilter, limit: number): Promise<ListPage<string>> {
    const pages: ListPage<string>[] = []
    for (const source of sourcesOf(filter)) {
      const isShort = source.kind === 'unfinished' && (await areUnfinishedFew(this.reads))
      const step = (before: string, missing: number): Promise<WalkStep<string>> =>
        isShort ? this.readUnfinished(filter, before, missing) : this.readStep(filter, source, before, missing)
      pages.push(await walk(limit, filter.before ?? lastTaskId, step, idOf))
    }
    return mergePages(pages, limit, idOf, isAbove)
  }

  private async readStep(
    filter: TaskFilter,
    source: StateSource,
    before: string,
    missing: number,
  ): Promise<WalkStep<string>> {
    const { from, values } = stretchOf(filter, source, before)
    const fitting = new Conditions(values)
    addFilter(fitting, filter, source.kind === 'ended' ? [source.state] : filter.states)
    if (source.kind === 'unfinished') fitting.add('finished_at IS NULL')
    const rows: { id: string }[] = await this.reads.query(
      `SELECT id FROM (SELECT * ${from} LIMIT ${stepRows}) AS t WHERE ${fitting.text} ORDER BY id DESC LIMIT ${fitting.bind(missing)}`,
      fitting.values,
    )
    const ids = rows.map(({ id }) => id)
    if (ids.length === missing) return { rows: ids, lookedTo: null }
    const [end]: { id: string }[] = await this.reads.query(`SELECT id ${from} OFFSET ${stepRows - 1} LIMIT 1`, values)
    return { rows: ids, lookedTo: end?.id ?? null }
  }

  private async readUnfinished(filter: TaskFilter, before: string, missing: number): Promise<WalkStep<string>> {
    const fitting = new Conditions()
    addFilter(fitting, filter, filter.states)
    fitting.add('id < ?', before)
    // Materialized: along the primary key the planner would pass everything that has ended.
    const rows: { id: string }[] = await this.reads.query(
      `WITH t AS MATERIALIZED (SELECT * FROM tasks WHERE finished_at IS NULL)
       SELECT id FROM t WHERE ${fitting.text} ORDER BY id DESC LIMIT ${fitting.bind(missing)}`,
      fitting.values,
    )
    return { rows: rows.map(({ id }) => id), lookedTo: null }
  }
}

/** What has not ended comes first: a task that ends meanwhile is found twice rather than not at all. */
const ofPerson: readonly StateSource[] = [{ kind: 'unfinished' }, { kind: 'finished' }]

const sourcesOf = ({ ids, states, userId }: TaskFilter): readonly StateSource[] => {
  if (ids) return [{ kind: 'all' }]
  return sourcesOfStates(states).flatMap((source) =>
    source.kind === 'all' && userId !== undefined ? ofPerson : [source],
  )
}

/** The clocks of two processes differ by less. */
const clockErrorMs = 3_600_000

/** The tasks that a step looks at, by the index in which most of them fit. */
const stretchOf = (
  { ids, name, queue, userId, errorCode, since }: TaskFilter,
  source: StateSource,
  before: string,
): { readonly from: string; readonly values: readonly unknown[] } => {
  const conditions = new Conditions().add('id < ?', before)
  // A batch has two stored names, which no index holds together; its queue holds hardly anything else.
  const narrow = queue ?? (name === batchPredictions.name ? batchPredictions.queue : undefined)
  // An id has the time of the process that made it, whose clock may be wrong.
  if (since) conditions.add('id >= ?', firstIdOf(new Date(since.getTime() - clockErrorMs)))
  if (ids) conditions.add('id = ANY(?)', ids)
  // No index has the unfinished tasks of a person.
  const isOfPerson = userId !== undefined && source.kind !== 'unfinished'
  if (isOfPerson) conditions.add('user_id = ?', userId)
  if (source.kind === 'finished') conditions.add('finished_at IS NOT NULL')
  if (source.kind === 'ended') {
    if (!isOfPerson && errorCode !== undefined) conditions.add('error_code = ?', errorCode)
    else conditions.add(`error_code IS NOT NULL AND ${endKind} = ?`, source.state)
  } else if (!isOfPerson) {
    if (errorCode !== undefined) conditions.add('error_code = ?', errorCode)
    else if (name !== undefined && name !== processPrediction.name && name !== batchPredictions.name)
      conditions.add(`name <> '${processPrediction.name}' AND name = ?`, name)
    else if (narrow !== undefined && narrow !== processPrediction.queue)
      conditions.add(`queue <> '${processPrediction.queue}' AND queue = ?`, narrow)
  }
  return { from: `FROM tasks WHERE ${conditions.text} ORDER BY id DESC`, values: conditions.values }
}

const addFilter = (
  conditions: Conditions,
  { name, queue, worker, errorCode, userId, since, ids, mayReplay }: TaskFilter,
  states: readonly TaskState[] | undefined,
): void => {
  if (ids) conditions.add('id = ANY(?)', ids)
  if (name !== undefined) conditions.add('name = ANY(?)', storedNames(name))
  if (queue !== undefined) conditions.add('queue = ?', queue)
  if (worker !== undefined) conditions.add('worker = ?', worker)
  if (errorCode !== undefined) conditions.add('error_code = ?', errorCode)
  if (userId !== undefined) conditions.add('user_id = ?', userId)
  if (since) conditions.add('created_at >= ?', since)
  if (states) conditions.add('state = ANY(?)', states)
  if (mayReplay) {
    conditions.add('NOT EXISTS (SELECT 1 FROM tasks r WHERE r.replay_of = t.id)')
    conditions.add('name <> ALL(?)', storedNames(batchPredictions.name))
  }
}
