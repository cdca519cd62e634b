import { Injectable } from '@nestjs/common'
import { processPrediction, type TaskState } from '#libs/tasks/contracts'
import { stepRows, walk, type ListPage, type WalkStep } from '../lists/bounded-walk.js'
import { ListReads } from '../lists/list-reads.js'
import { areUnfinishedFew, Conditions, endKind, sourcesOfStates } from '../lists/list-sources.js'
import type { PredictionView } from './prediction.repository.js'
import { predictionColumns } from './predictions.sql.js'

export interface PredictionFilter {
  readonly userId?: number | undefined
  readonly state?: TaskState | undefined
  readonly batchId?: string | undefined
  readonly externalId?: number | undefined
  /** Only predictions with a smaller id. */
  readonly before?: number | undefined
}

/** Ids of predictions that a batch took while it was received; others may have taken some between them. */
interface BatchRange {
  readonly first: string
  readonly last: string
}

/** Greater than the id of any prediction, and a number that JavaScript holds exactly. */
const lastPredictionId = String(Number.MAX_SAFE_INTEGER)

/** Predictions, newest first, in time that does not depend on how many there are: see `walk`. */
@Injectable()
export class PredictionListRepository {
  constructor(private readonly reads: ListReads) {}

  /** At most `limit` predictions. */
  async list(filter: PredictionFilter, limit: number): Promise<ListPage<PredictionView>> {
    const range = filter.batchId === undefined ? undefined : await this.findRange(filter.batchId)
    if (filter.batchId !== undefined && !range) return { rows: [], next: null }
    const [source] = sourcesOfStates(filter.state && [filter.state])
    const isShort = source?.kind === 'unfinished' && (await areUnfinishedFew(this.reads))
    const step = (before: string, missing: number) => {
      if (isShort) return this.readUnfinished(filter, before, missing)
      return source?.kind === 'ended'
        ? this.readEnded(filter, before, missing)
        : this.readStep(filter, range, before, missing)
    }
    return walk(limit, String(filter.before ?? lastPredictionId), step, ({ id }) => String(id))
  }

  private async findRange(batchId: string): Promise<BatchRange | undefined> {
    const [range]: (BatchRange | undefined)[] = await this.reads.query(
      'SELECT first_prediction_id AS first, last_prediction_id AS last FROM batches WHERE id = $1',
      [batchId],
    )
    return range
  }

  private async readStep(
    { userId, state, batchId, externalId }: PredictionFilter,
    range: BatchRange | undefined,
    before: string,
    missing: number,
  ): Promise<WalkStep<PredictionView>> {
    const stretch = new Conditions().add('id < ?', before)
    if (userId !== undefined) stretch.add('user_id = ?', userId)
    if (externalId !== undefined) stretch.add('external_id = ?', externalId)
    if (range) stretch.add('id >= ?', range.first).add('id <= ?', range.last)
    const from = `FROM predictions WHERE ${stretch.text} ORDER BY id DESC`
    const fitting = new Conditions(stretch.values)
    if (batchId !== undefined) fitting.add('p.batch_id = ?', batchId)
    if (state) fitting.add('t.state = ?', state)
    const rows = await this.reads.query<PredictionView>(
      `SELECT ${predictionColumns} FROM (SELECT * ${from} LIMIT ${stepRows}) AS p JOIN tasks t ON t.id = p.task_id
       WHERE ${fitting.text} ORDER BY p.id DESC LIMIT ${fitting.bind(missing)}`,
      fitting.values,
    )
    return this.toStep(rows, missing, `SELECT id ${from} OFFSET ${stepRows - 1} LIMIT 1`, stretch.values)
  }

  /** Of predictions whose task ended without success, by an index that holds no others. */
  private async readEnded(
    { userId, state, batchId, externalId }: PredictionFilter,
    before: string,
    missing: number,
  ): Promise<WalkStep<PredictionView>> {
    const stretch = new Conditions().add('prediction_id < ?', before)
    if (userId !== undefined) stretch.add('user_id = ?', userId)
    stretch.add(`error_code IS NOT NULL AND name = '${processPrediction.name}' AND ${endKind} = ?`, state)
    const from = `FROM tasks WHERE ${stretch.text} ORDER BY prediction_id DESC`
    const fitting = new Conditions(stretch.values).add('t.state = ?', state)
    if (externalId !== undefined) fitting.add('p.external_id = ?', externalId)
    if (batchId !== undefined) fitting.add('p.batch_id = ?', batchId)
    const rows = await this.reads.query<PredictionView>(
      `SELECT ${predictionColumns} FROM (SELECT * ${from} LIMIT ${stepRows}) AS t
         JOIN predictions p ON p.id = t.prediction_id AND p.task_id = t.id
       WHERE ${fitting.text} ORDER BY t.prediction_id DESC LIMIT ${fitting.bind(missing)}`,
      fitting.values,
    )
    const endSql = `SELECT prediction_id AS id ${from} OFFSET ${stepRows - 1} LIMIT 1`
    const { readTo } = await this.toStep(rows, missing, endSql, stretch.values)
    const again = readTo === null ? null : String(BigInt(readTo) + 1n)
    // The last prediction may have further tasks, so the next step reads it again, unless it alone filled this step.
    return again === null || again === before
      ? { rows, readTo }
      : { rows: rows.filter(({ id }) => String(id) !== readTo), readTo: again }
  }

  private async readUnfinished(
    { userId, state, batchId, externalId }: PredictionFilter,
    before: string,
    missing: number,
  ): Promise<WalkStep<PredictionView>> {
    const fitting = new Conditions().add('t.state = ?', state).add('p.id < ?', before)
    if (userId !== undefined) fitting.add('t.user_id = ?', userId)
    if (externalId !== undefined) fitting.add('p.external_id = ?', externalId)
    if (batchId !== undefined) fitting.add('p.batch_id = ?', batchId)
    // Materialized: along a primary key the planner would pass everything that has ended.
    const rows = await this.reads.query<PredictionView>(
      `WITH t AS MATERIALIZED (SELECT * FROM tasks WHERE finished_at IS NULL AND prediction_id IS NOT NULL)
       SELECT ${predictionColumns} FROM t JOIN predictions p ON p.id = t.prediction_id AND p.task_id = t.id
       WHERE ${fitting.text} ORDER BY p.id DESC LIMIT ${fitting.bind(missing)}`,
      fitting.values,
    )
    return { rows, readTo: null }
  }

  private async toStep(
    rows: readonly PredictionView[],
    missing: number,
    endSql: string,
    values: readonly unknown[],
  ): Promise<WalkStep<PredictionView>> {
    if (rows.length === missing) return { rows, readTo: null }
    const [end]: { id: string }[] = await this.reads.query(endSql, values)
    return { rows, readTo: end?.id ?? null }
  }
}
