import { Injectable } from '@nestjs/common'
import { updateForecasts, type TaskState } from '#libs/tasks/contracts'
import { DataSource } from 'typeorm'
import { ForecastEntity, type StoredForecastPoint, type StoredForecastVisit } from './forecast.entity.js'
import { firstAttempt } from '../tasks/enqueue-row.js'
import { findByKey, storedBefore, type StoredSubmission, type Submission } from '../tasks/submission.js'
import { TaskRepository } from '../tasks/task.repository.js'
import { settleForecasts } from '../tasks/settle.sql.js'

/** The first key of the advisory lock for requesting forecasts of one person; arbitrary, the same everywhere. */
const requestLock = 7_301_966

/** A requested forecast. */
export interface WantedForecast extends Submission {
  readonly userId: number
  /** Months after the reference date, in rising order. */
  readonly horizonsMonths: readonly number[]
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

/** Forecasts and, for requested ones, the tasks that compute them. */
@Injectable()
export class ForecastRepository {
  constructor(
    private readonly dataSource: DataSource,
    private readonly tasks: TaskRepository,
  ) {}

  /**
   * Stores the task of a forecast, or returns one that already waits for the same person and horizons: it has not read
   * the history yet, so it will see everything that this caller has recorded. A task that is running may have read it
   * before, and is not joined; nor is one that waits under another idempotency key.
   */
  async request(wanted: WantedForecast): Promise<StoredSubmission> {
    const { taskId, userId, horizonsMonths, submittedBy = null, traceparent = null, idempotency } = wanted
    const { name, queue } = updateForecasts
    const horizons = JSON.stringify(horizonsMonths)
    const key = [idempotency?.scope ?? null, idempotency?.key ?? null, idempotency?.hash ?? null]
    return this.dataSource.transaction(async (manager) => {
      // A statement sees what was committed when it began, so the lock must be held before the next one begins.
      await manager.query('SELECT pg_advisory_xact_lock($1, hashint8($2))', [requestLock, userId])
      const known = idempotency && (await findByKey(manager, idempotency))
      if (known) return storedBefore(known.id, known.hash)
      const [waiting]: { id: string }[] = await manager.query(
        `SELECT id FROM tasks
         WHERE name = '${name}' AND finished_at IS NULL AND user_id = $1
           AND state IN (${waitingStates.map((state) => `'${state}'`).join(', ')})
           AND expires_at IS NULL AND args->'horizons_months' = $2::jsonb
           AND ($3::text IS NULL OR idempotency_key IS NULL)
         ORDER BY id LIMIT 1 FOR UPDATE`,
        [userId, horizons, idempotency?.key ?? null],
      )
      if (waiting) {
        if (idempotency) {
          await manager.query(
            'UPDATE tasks SET idempotency_scope = $2, idempotency_key = $3, idempotency_hash = $4 WHERE id = $1',
            [waiting.id, ...key],
          )
        }
        return storedBefore(waiting.id, idempotency?.hash)
      }
      const made: unknown[] = await manager.query(
        `INSERT INTO tasks (id, name, queue, state, args, user_id, submitted_by, traceparent, idempotency_scope,
           idempotency_key, idempotency_hash)
         VALUES ($1, '${name}', '${queue}', 'queued', jsonb_build_object('horizons_months', $2::jsonb), $3, $4, $5, $6, $7, $8)
         ON CONFLICT (idempotency_scope, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING RETURNING id`,
        [taskId, horizons, userId, submittedBy, traceparent, ...key],
      )
      // Another request has used the key at the same moment.
      const other = made.length === 0 && idempotency ? await findByKey(manager, idempotency) : null
      if (other) return storedBefore(other.id, other.hash)
      return { taskId, isNew: true, tasks: [firstAttempt(taskId, name, 'forecasts')] }
    })
  }

  /** Stores forecasts, each only if its attempt still holds the task. Returns the ids of the tasks that were stored. */
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
      settleForecasts,
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

/** States in which a task will start by itself and soon. */
const waitingStates: readonly TaskState[] = ['queued', 'retrying']
