import { Injectable } from '@nestjs/common'
import type { QueueName } from '#libs/platform'
import type { TaskState } from '#libs/tasks/contracts'
import { DataSource } from 'typeorm'
import { ForecastEntity, type StoredForecastPoint, type StoredForecastVisit } from '../entities/forecast.entity.js'
import { TaskRepository } from './task.repository.js'

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
}

/** The task that will make a forecast. `isNew` is false where one was already waiting. */
export interface RequestedForecast {
  readonly taskId: string
  readonly isNew: boolean
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
   * before, and is not joined.
   */
  async request({ taskId, taskName, queue, userId, horizonsMonths }: ForecastRequestRow): Promise<RequestedForecast> {
    const horizons = JSON.stringify(horizonsMonths)
    return this.dataSource.transaction(async (manager) => {
      // A statement sees what was committed when it began, so the lock must be held before the next one begins.
      await manager.query('SELECT pg_advisory_xact_lock($1, hashint8($2))', [requestLock, userId])
      const [waiting]: { id: string }[] = await manager.query(
        `SELECT id FROM tasks
         WHERE name = 'ml.update_forecasts' AND finished_at IS NULL AND user_id = $1
           AND state IN (${waitingStates.map((state) => `'${state}'`).join(', ')})
           AND expires_at IS NULL AND args->'horizons_months' = $2::jsonb
         ORDER BY id LIMIT 1`,
        [userId, horizons],
      )
      if (waiting) return { taskId: waiting.id, isNew: false }
      await manager.query(
        `INSERT INTO tasks (id, name, queue, state, args, user_id)
         VALUES ($1, $2, $3, 'queued', jsonb_build_object('horizons_months', $4::jsonb), $5)`,
        [taskId, taskName, queue, horizons, userId],
      )
      return { taskId, isNew: true }
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

/** States in which a task will start by itself and soon. */
const waitingStates: readonly TaskState[] = ['queued', 'retrying']
