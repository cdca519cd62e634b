import { Injectable } from '@nestjs/common'
import type { QueueName } from '#libs/platform'
import type { TaskState } from '#libs/tasks/contracts'
import { DataSource, type EntityManager } from 'typeorm'
import { ForecastEntity, type StoredForecastPoint, type StoredForecastVisit } from './forecast.entity.js'
import { TaskRepository } from '../tasks/task.repository.js'

/** The first key of the lock under which one person's forecasts are asked for; arbitrary, the same everywhere. */
const requestLock = 7_301_966

/** A forecast that is asked for. */
export interface ForecastRequestRow {
  /** UUID version 7 of the task, if it comes to a new one. */
  readonly taskId: string
  readonly taskName: string
  readonly queue: QueueName
  readonly userId: number
  /** Months after the reference date, in rising order. */
  readonly horizonsMonths: readonly number[]
  /** Id of the API key that asks for it. */
  readonly submittedBy?: string | undefined
  /** With a key of the caller, one task however often it is asked for; `hash` tells another request apart. */
  readonly idempotency?: { readonly scope: string; readonly key: string; readonly hash: string } | undefined
}

/**
 * The task that will make a forecast. `isNew` is false where one was already waiting, or where the idempotency key had
 * been used before; then `hash` is that of the first request.
 */
export interface RequestedForecast {
  readonly taskId: string
  readonly isNew: boolean
  readonly hash: string | null
}

/** A forecast with the attempt that made it. */
export interface MadeForecast {
  readonly taskId: string
  readonly attempt: number
  readonly userId: number
  readonly model: string
  readonly metric: string
  readonly referenceAt: Date
  readonly history: readonly StoredForecastVisit[]
  readonly points: readonly StoredForecastPoint[]
  readonly ratePerYear: number
  readonly basis: 'history' | 'population'
  readonly warnings: readonly string[]
}

/** Forecasts and, when they are asked for, the tasks that make them. */
@Injectable()
export class ForecastRepository {
  constructor(
    private readonly dataSource: DataSource,
    private readonly tasks: TaskRepository,
  ) {}

  /**
   * Stores the task of a forecast, or answers one that already waits for the same person and horizons: it has not read
   * the history yet, so it will see everything that this caller has recorded. A task that is running may have read it
   * before, and is not joined; nor is one that waits under another idempotency key.
   */
  async request(row: ForecastRequestRow): Promise<RequestedForecast> {
    const { taskId, taskName, queue, userId, horizonsMonths, submittedBy = null, idempotency } = row
    const horizons = JSON.stringify(horizonsMonths)
    const key = [idempotency?.scope ?? null, idempotency?.key ?? null, idempotency?.hash ?? null]
    return this.dataSource.transaction(async (manager) => {
      // A statement sees what was committed when it began, so the lock must be held before the next one begins.
      await manager.query('SELECT pg_advisory_xact_lock($1, hashint8($2))', [requestLock, userId])
      const known = await findKnown(manager, key)
      if (known) return known
      const [waiting]: { id: string }[] = await manager.query(
        `SELECT id FROM tasks
         WHERE name = 'ml.update_forecasts' AND finished_at IS NULL AND user_id = $1
           AND state IN (${waitingStates.map((state) => `'${state}'`).join(', ')})
           AND expires_at IS NULL AND args->'horizons_months' = $2::jsonb
           AND ($3::text IS NULL OR idempotency_key IS NULL)
         ORDER BY id LIMIT 1 FOR UPDATE`,
        [userId, horizons, idempotency?.key ?? null],
      )
      const hash = idempotency?.hash ?? null
      if (waiting) {
        if (idempotency) {
          await manager.query(
            'UPDATE tasks SET idempotency_scope = $2, idempotency_key = $3, idempotency_hash = $4 WHERE id = $1',
            [waiting.id, ...key],
          )
        }
        return { taskId: waiting.id, isNew: false, hash }
      }
      const made: unknown[] = await manager.query(
        `INSERT INTO tasks (id, name, queue, state, args, user_id, submitted_by, idempotency_scope, idempotency_key,
           idempotency_hash)
         VALUES ($1, $2, $3, 'queued', jsonb_build_object('horizons_months', $4::jsonb), $5, $6, $7, $8, $9)
         ON CONFLICT (idempotency_scope, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING RETURNING id`,
        [taskId, taskName, queue, horizons, userId, submittedBy, ...key],
      )
      // Another request has used the key at the same moment.
      return (made.length === 0 && (await findKnown(manager, key))) || { taskId, isNew: true, hash }
    })
  }

  /** Stores forecasts, each only if its attempt still holds the task; answers the task ids that were stored. */
  async storeAll(forecasts: readonly MadeForecast[]): Promise<ReadonlySet<string>> {
    return this.tasks.succeed(
      forecasts.map((forecast) => ({
        id: forecast.taskId,
        attempt: forecast.attempt,
        person: forecast.userId,
        model: forecast.model,
        metric: forecast.metric,
        reference_at: forecast.referenceAt,
        history: forecast.history,
        points: forecast.points,
        rate_per_year: forecast.ratePerYear,
        basis: forecast.basis,
        warnings: forecast.warnings,
      })),
      {
        columns: `person bigint, model text, metric text, reference_at timestamptz, history jsonb, points jsonb,
          rate_per_year double precision, basis text, warnings jsonb`,
        cte: `made AS (
          INSERT INTO forecasts (task_id, user_id, attempt, model, metric, reference_at, history, points,
            rate_per_year, basis, warnings)
          SELECT id, person, attempt, model, metric, reference_at, history, points, rate_per_year, basis, warnings
          FROM settled)`,
      },
    )
  }

  /** The forecast that a task has made. */
  async findByTask(taskId: string): Promise<ForecastEntity | null> {
    return this.dataSource.getRepository(ForecastEntity).findOneBy({ taskId })
  }

  /** The forecast of a person that was made from the newest state of the history. */
  async findLatest(userId: number): Promise<ForecastEntity | null> {
    return this.dataSource
      .getRepository(ForecastEntity)
      .findOne({ where: { userId: String(userId) }, order: { referenceAt: 'DESC', taskId: 'DESC' } })
  }
}

/** `key` is scope, key and hash. */
const findKnown = async (
  manager: EntityManager,
  key: readonly (string | null)[],
): Promise<RequestedForecast | null> => {
  const [known]: { id: string; hash: string | null }[] = await manager.query(
    'SELECT id, idempotency_hash AS hash FROM tasks WHERE idempotency_scope = $1 AND idempotency_key = $2',
    key.slice(0, 2),
  )
  return known ? { taskId: known.id, isNew: false, hash: known.hash } : null
}

/** States in which a task will start by itself and soon. */
const waitingStates: readonly TaskState[] = ['queued', 'retrying']
