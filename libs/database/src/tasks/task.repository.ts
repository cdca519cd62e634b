import { Injectable } from '@nestjs/common'
import type { QueueName } from '#libs/platform'
import { isTerminal, type TaskState } from '#libs/tasks/contracts'
import { DataSource } from 'typeorm'
import type { AttemptOutcome } from './task-attempt.entity.js'
import { TaskAttemptEntity } from './task-attempt.entity.js'
import { toEnqueueable, type EnqueueableTask, type EnqueueRow, type TaskJob } from './enqueue-row.js'
import { TaskEntity, type TaskLimits } from './task.entity.js'
import { PreparedStatements } from '../connection/prepared-statements.js'
import { settleAttempts } from './settle.sql.js'
import * as sql from './tasks.sql.js'
import type { EndedTask } from './task-sql.js'

/** A task that this worker has started; only it may end this attempt. */
export interface ClaimedTask {
  readonly id: string
  readonly name: string
  readonly queue: QueueName
  readonly priority: number
  readonly attempt: number
  readonly retries: number
  readonly crashes: number
  readonly args: Record<string, unknown>
  readonly limits: TaskLimits | null
  readonly userId: string | null
  readonly predictionId: string | null
  /** Span of the request that submitted it, if its trace is recorded. */
  readonly traceparent: string | null
  /** Time between being due and this claim, in milliseconds. */
  readonly waitMs: number
  /** The input snapshot, for tasks about a prediction; null if it was erased. */
  readonly prediction: { id: string; model: string; healthMetrics: Record<string, number> } | null
}

/** How an attempt ends. `state` must be one that `running` may become. */
export interface AttemptEnd {
  readonly id: string
  readonly attempt: number
  readonly state: TaskState
  readonly outcome: AttemptOutcome
  readonly result?: unknown
  readonly errorCode?: string
  readonly errorMessage?: string
  /** For `retrying`: in how many milliseconds it may start again. */
  readonly retryInMs?: number
  /** A retry of the allowance was used. */
  readonly countsAsRetry?: boolean
  /** A worker or child died under it. */
  readonly countsAsCrash?: boolean
}

/** A result; further columns are those of the statement that stores it. */
export interface AttemptSuccess {
  readonly id: string
  readonly attempt: number
  /** Left out where the result stands in a table of its own. */
  readonly result?: unknown
}

/** Someone asked to revoke a running task. */
export interface RevokeRequest {
  readonly id: string
  /** What computes it is to be killed if it has not ended within the grace. */
  readonly terminate: boolean
}

interface ClaimedRow {
  id: string
  name: string
  queue: QueueName
  priority: number
  attempt: number
  retries: number
  crashes: number
  args: Record<string, unknown>
  limits: TaskLimits | null
  user_id: string | null
  traceparent: string | null
  wait_ms: number
  prediction_id: string | null
  model: string | null
  health_metrics: Record<string, number> | null
}

/** Owner of every legal change of a task's state. */
@Injectable()
export class TaskRepository {
  constructor(
    private readonly dataSource: DataSource,
    private readonly prepared: PreparedStatements,
  ) {}

  /**
   * Starts attempts in one statement. A task that is finished, running elsewhere, already further on, not yet due or
   * past its expiry is left alone and is not returned.
   */
  async claim(jobs: readonly TaskJob[], worker: string, leaseSeconds: number): Promise<readonly ClaimedTask[]> {
    const rows = await this.prepared.query<ClaimedRow>(sql.claimTasks, [
      JSON.stringify(inLockOrder(jobs, ({ taskId }) => taskId)),
      worker,
      leaseSeconds,
    ])
    return rows.map((row) => ({
      id: row.id,
      name: row.name,
      queue: row.queue,
      priority: row.priority,
      attempt: row.attempt,
      retries: row.retries,
      crashes: row.crashes,
      args: row.args,
      limits: row.limits,
      userId: row.user_id,
      predictionId: row.prediction_id,
      traceparent: row.traceparent,
      waitMs: Math.round(row.wait_ms),
      prediction:
        row.prediction_id !== null && row.model !== null && row.health_metrics !== null
          ? { id: row.prediction_id, model: row.model, healthMetrics: row.health_metrics }
          : null,
    }))
  }

  /** Resolves when everything that was committed before the call survives a crash of the server. */
  async makeDurable(): Promise<void> {
    await this.prepared.query(sql.makeDurable)
  }

  /**
   * Keeps running attempts of this worker; rows that another statement is just ending are passed over. Returns those
   * that someone asked to revoke, so that a lost message does not matter.
   */
  async renewLeases(jobs: readonly TaskJob[], worker: string, leaseSeconds: number): Promise<readonly RevokeRequest[]> {
    const rows: { id: string; is_revoked: boolean; terminate: boolean | null }[] = await this.dataSource.query(
      sql.renewLeases,
      [JSON.stringify(jobs), worker, leaseSeconds],
    )
    return rows
      .filter(({ is_revoked }) => is_revoked)
      .map(({ id, terminate }) => ({ id, terminate: terminate ?? false }))
  }

  /** Ends attempts. Returns the ids of those that were still this attempt's to end. */
  async settle(ends: readonly AttemptEnd[]): Promise<ReadonlySet<string>> {
    const input = inLockOrder(ends, ({ id }) => id).map((end) => ({
      id: end.id,
      attempt: end.attempt,
      state: end.state,
      outcome: end.outcome,
      terminal: isTerminal(end.state),
      retry_in_ms: end.retryInMs,
      retried: end.countsAsRetry ? 1 : 0,
      crashed: end.countsAsCrash ? 1 : 0,
      result: end.result,
      error_code: end.errorCode,
      error_message: end.errorMessage,
    }))
    const rows = await this.prepared.query<{ id: string }>(settleAttempts, [JSON.stringify(input)])
    return new Set(rows.map(({ id }) => id))
  }

  /** Ends attempts with results by a statement of `settle.sql.ts`; returns the ids that were still this attempt's to end. */
  async succeed(successes: readonly AttemptSuccess[], statement = settleAttempts): Promise<ReadonlySet<string>> {
    const rows = await this.prepared.query<{ id: string }>(statement, [
      JSON.stringify(inLockOrder(successes, ({ id }) => id)),
    ])
    return new Set(rows.map(({ id }) => id))
  }

  /**
   * Takes back the attempts of workers that have fallen silent: each is recorded as lost and queued again, or, when
   * workers died under it `maxCrashes` times, ended as poison.
   */
  async takeBackExpiredLeases(maxCrashes: number): Promise<readonly EnqueueableTask[]> {
    const rows: EnqueueRow[] = await this.dataSource.query(sql.takeBackExpiredLeases, [maxCrashes])
    return rows.filter(({ waiting }) => waiting).map(toEnqueueable)
  }

  /** Ends waiting tasks that are not to start: expired, or revoked while their worker was lost. Returns those it ended. */
  async endUnwanted(): Promise<readonly EndedTask[]> {
    const rows: EndedTask[] = await this.dataSource.query(sql.endUnwanted)
    return rows.map(({ id, name, queue, state }) => ({ id, name, queue, state }))
  }

  async find(id: string): Promise<TaskEntity | null> {
    return this.dataSource.getRepository(TaskEntity).findOneBy({ id })
  }

  /** Those of the given tasks that have finished. */
  async listFinished(ids: readonly string[]): Promise<readonly string[]> {
    const rows: { id: string }[] = await this.dataSource.query(
      'SELECT id FROM tasks WHERE id = ANY($1::uuid[]) AND finished_at IS NOT NULL',
      [ids],
    )
    return rows.map(({ id }) => id)
  }

  /** The ended attempts of a task, first to last. */
  async listAttempts(taskId: string): Promise<readonly TaskAttemptEntity[]> {
    return this.dataSource.getRepository(TaskAttemptEntity).find({ where: { taskId }, order: { attempt: 'ASC' } })
  }
}

/** Statements on the same tasks lock them in the same order, so that two of them do not wait for each other. */
const inLockOrder = <Item>(items: readonly Item[], idOf: (item: Item) => string): readonly Item[] =>
  items.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
