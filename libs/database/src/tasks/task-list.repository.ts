import { Injectable } from '@nestjs/common'
import { DataSource, In } from 'typeorm'
import { mergePages, stepRows, walk, type ListPage, type WalkStep } from '../lists/bounded-walk.js'
import { ListReads } from '../lists/list-reads.js'
import { areUnfinishedFew, Conditions, type StateSource } from '../lists/list-sources.js'
import { TaskEntity } from './task.entity.js'
import { addFilter, sourcesOf, stretchOf, type TaskFilter } from './task-filter.js'
import { selectFamily, selectTasksOfPrediction } from './task-search.sql.js'

/** A count of tasks. */
export interface TaskCount {
  readonly count: number
  /** False if counting was given up: there may be more. */
  readonly isComplete: boolean
}

/** When counting is given up. */
export interface CountLimits {
  /** Tasks, at least. */
  readonly most: number
  /** Time, in milliseconds. */
  readonly withinMs: number
}

/** Greater than the id of any task. */
export const lastTaskId = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/** Tasks that are counted in one page of a count. */
const countedAtOnce = 10_000
/** Rows that a statement looks at if it looks up the model of each. */
const rowsWithModels = 5_000
/** Rows that a statement looks at along the index of people, which are far from each other in the table. */
const rowsOfPerson = 10_000

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
    const { rows: ids, next } = await this.listIds(await this.withIds(filter), limit)
    if (ids.length === 0) return { rows: [], next }
    const tasks = await this.dataSource.getRepository(TaskEntity).findBy({ id: In([...ids]) })
    return { rows: tasks.toSorted((a, b) => (a.id > b.id ? -1 : 1)), next }
  }

  /** Counts tasks; gives up after a time or a number. */
  async count(filter: TaskFilter, { most, withinMs }: CountLimits = everyTask): Promise<TaskCount> {
    const startedAt = performance.now()
    const known = await this.withIds(filter)
    let count = 0
    for (let { before } = filter; ;) {
      const { rows, next } = await this.listIds({ ...known, before }, countedAtOnce)
      count += rows.length
      if (next === null) return { count, isComplete: true }
      if (count >= most || performance.now() - startedAt > withinMs) return { count, isComplete: false }
      before = next
    }
  }

  /** The filter with the ids of the tasks about a prediction, of a batch and of a family, which are few and known at once. */
  async withIds(filter: TaskFilter): Promise<TaskFilter> {
    const { ids, predictionId, batchId, familyOf, userId } = filter
    const statements: (readonly [sql: string, values: readonly unknown[]])[] = []
    if (predictionId !== undefined) statements.push([selectTasksOfPrediction, [predictionId, userId ?? null]])
    for (const root of [batchId, familyOf]) if (root !== undefined) statements.push([selectFamily, [root]])
    let known = ids
    for (const [sql, values] of statements) {
      const rows: { id: string }[] = await this.reads.query(sql, values)
      const found = new Set(rows.map(({ id }) => id))
      known = known ? known.filter((id) => found.has(id.toLowerCase())) : [...found]
    }
    return { ...filter, ids: known }
  }

  private async listIds(filter: TaskFilter, limit: number): Promise<ListPage<string>> {
    if (filter.ids?.length === 0) return { rows: [], next: null }
    const pages: ListPage<string>[] = []
    const stepSize = stepSizeOf(filter)
    for (const source of sourcesOf(filter)) {
      const isShort = source.kind === 'unfinished' && (await areUnfinishedFew(this.reads, stepSize))
      const step = (before: string, missing: number): Promise<WalkStep<string>> =>
        isShort
          ? this.readUnfinished(filter, before, missing)
          : this.readStep(filter, source, { before, missing, stepSize })
      pages.push(await walk(limit, filter.before ?? lastTaskId, step, idOf))
    }
    return mergePages(pages, limit, idOf, isAbove)
  }

  private async readStep(
    filter: TaskFilter,
    source: StateSource,
    { before, missing, stepSize }: { readonly before: string; readonly missing: number; readonly stepSize: number },
  ): Promise<WalkStep<string>> {
    const { from, values } = stretchOf(filter, source, before)
    const fitting = new Conditions(values)
    addFilter(fitting, filter, source.kind === 'ended' ? [source.state] : filter.states)
    if (source.kind === 'unfinished') fitting.add('finished_at IS NULL')
    const rows: { id: string }[] = await this.reads.query(
      `SELECT id FROM (SELECT * ${from} LIMIT ${stepSize}) AS t WHERE ${fitting.text} ORDER BY id DESC LIMIT ${fitting.bind(missing)}`,
      fitting.values,
    )
    const ids = rows.map(({ id }) => id)
    if (ids.length === missing) return { rows: ids, readTo: null }
    const [end]: { id: string }[] = await this.reads.query(`SELECT id ${from} OFFSET ${stepSize - 1} LIMIT 1`, values)
    return { rows: ids, readTo: end?.id ?? null }
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
    return { rows: rows.map(({ id }) => id), readTo: null }
  }
}

const stepSizeOf = ({ model, userId }: TaskFilter): number =>
  model !== undefined ? rowsWithModels : userId !== undefined ? rowsOfPerson : stepRows

/** Counts as far as it comes in a short time. */
const everyTask: CountLimits = { most: Number.POSITIVE_INFINITY, withinMs: 200 }
