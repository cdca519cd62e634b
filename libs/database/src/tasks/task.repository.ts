import { Injectable } from '@nestjs/common'
import type { QueueName } from '#libs/platform'
import { isTerminal, type TaskState } from '#libs/tasks/contracts'
import { DataSource } from 'typeorm'
import type { AttemptOutcome } from './task-attempt.entity.js'
import { TaskAttemptEntity } from './task-attempt.entity.js'
import { toDispatchable, type DispatchableTask, type DispatchRow, type TaskJob } from './dispatch-row.js'
import { TaskEntity, type TaskLimits } from './task.entity.js'
import { PreparedStatements } from '../connection/prepared-statements.js'
import {
  commitSoon,
  endWords,
  finishedChannel,
  settleStatement,
  sourceList,
  type AlsoWrites,
  type EndedTask,
} from './task-sql.js'

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

/** A result; further columns are those that the caller's `AlsoWrites` names. */
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
   * past its expiry is left alone and is missing from the answer.
   */
  async claim(jobs: readonly TaskJob[], worker: string, leaseSeconds: number): Promise<readonly ClaimedTask[]> {
    const rows = await this.prepared.query<ClaimedRow>(
      `WITH input AS MATERIALIZED (
         SELECT * FROM jsonb_to_recordset($1::jsonb) AS r("taskId" uuid, attempt integer)
       ), claimed AS (
         UPDATE tasks t SET
           state = 'running', attempt = i.attempt, worker = $2, started_at = now(),
           lease_expires_at = now() + make_interval(secs => $3)
         FROM input i
         WHERE t.id = ANY (ARRAY(SELECT "taskId" FROM input)) AND t.id = i."taskId"
           AND t.attempt = i.attempt - 1 AND t.state IN (${sourceList('running')})
           AND t.available_at <= now() + interval '1 second' AND (t.expires_at IS NULL OR t.expires_at > now())
           AND t.revoke_requested_at IS NULL AND t.queue <> ALL (ARRAY(SELECT queue FROM paused_queues))
         RETURNING t.id, t.name, t.queue, t.priority, t.attempt, t.retries, t.crashes, t.args, t.limits, t.user_id, t.prediction_id,
           (extract(epoch FROM now() - t.available_at) * 1000)::float8 AS wait_ms
       )
       SELECT c.*, p.model, p.health_metrics, ${commitSoon} FROM claimed c LEFT JOIN predictions p ON p.id = c.prediction_id`,
      [JSON.stringify(inLockOrder(jobs, ({ taskId }) => taskId)), worker, leaseSeconds],
    )
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
      waitMs: Math.round(row.wait_ms),
      prediction:
        row.prediction_id !== null && row.model !== null && row.health_metrics !== null
          ? { id: row.prediction_id, model: row.model, healthMetrics: row.health_metrics }
          : null,
    }))
  }

  /** Resolves when everything that was committed before the call survives a crash of the server. */
  async makeDurable(): Promise<void> {
    // A commit that writes nothing is not flushed; the message is the least that can be written.
    await this.prepared.query(
      `SELECT set_config('synchronous_commit', 'on', true), pg_logical_emit_message(true, 'memoryguard', '')`,
    )
  }

  /**
   * Keeps running attempts of this worker; rows that another statement is just ending are passed over. Returns those
   * that someone asked to revoke, so that a lost message does not matter.
   */
  async renewLeases(jobs: readonly TaskJob[], worker: string, leaseSeconds: number): Promise<readonly RevokeRequest[]> {
    const rows: { id: string; is_revoked: boolean; terminate: boolean | null }[] = await this.dataSource.query(
      `WITH renewed AS (
         UPDATE tasks t SET lease_expires_at = now() + make_interval(secs => $3)
         WHERE t.id IN (
           SELECT t2.id FROM tasks t2 JOIN jsonb_to_recordset($1::jsonb) AS i("taskId" uuid, attempt integer)
             ON t2.id = i."taskId" AND t2.attempt = i.attempt
           WHERE t2.state = 'running' AND t2.worker = $2
           FOR UPDATE OF t2 SKIP LOCKED)
         RETURNING t.id, t.revoke_requested_at IS NOT NULL AS is_revoked, t.terminate_requested AS terminate
       )
       SELECT *, ${commitSoon} FROM renewed`,
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
    const rows = await this.prepared.query<{ id: string }>(settleStatement(), [JSON.stringify(input)])
    return new Set(rows.map(({ id }) => id))
  }

  /** Stores results with `also` in the same statement. Returns the ids that were still this attempt's to end. */
  async succeed(successes: readonly AttemptSuccess[], also?: AlsoWrites): Promise<ReadonlySet<string>> {
    const input = inLockOrder(successes, ({ id }) => id).map((success) => ({
      ...success,
      state: 'succeeded' satisfies TaskState,
      outcome: 'succeeded' satisfies AttemptOutcome,
      terminal: true,
    }))
    const rows = await this.prepared.query<{ id: string }>(settleStatement(also), [JSON.stringify(input)])
    return new Set(rows.map(({ id }) => id))
  }

  /**
   * Takes back the attempts of workers that have fallen silent: each is recorded as lost and queued again, or, when
   * workers died under it `maxCrashes` times, ended as poison.
   */
  async takeBackExpiredLeases(maxCrashes: number): Promise<readonly DispatchableTask[]> {
    const rows: DispatchRow[] = await this.dataSource.query(
      `WITH lost AS (
         SELECT id FROM tasks WHERE finished_at IS NULL AND state = 'running' AND lease_expires_at < now()
         FOR UPDATE SKIP LOCKED LIMIT 1000
       ), taken AS (
         UPDATE tasks t SET
           state = CASE WHEN t.crashes + 1 >= $1 THEN 'failed' ELSE 'queued' END,
           finished_at = CASE WHEN t.crashes + 1 >= $1 THEN now() END,
           error_code = CASE WHEN t.crashes + 1 >= $1 THEN 'TASK_POISON' END,
           error_message = CASE WHEN t.crashes + 1 >= $1 THEN 'Its worker died ' || $1 || ' times while it ran.' END,
           crashes = t.crashes + 1, lease_expires_at = NULL, available_at = now()
         FROM lost WHERE t.id = lost.id
         RETURNING t.*
       ), attempts AS (
         INSERT INTO task_attempts (task_id, attempt, worker, outcome, error_code, error_message, started_at)
         SELECT id, attempt, worker, 'lost', 'TASK_CHILD_LOST', 'The worker fell silent.', started_at FROM taken
       ), told AS (
         SELECT pg_notify('${finishedChannel}', id::text) FROM taken WHERE finished_at IS NOT NULL
       )
       SELECT id, name, queue, attempt, priority, 0 AS delay_ms, finished_at IS NULL AS waiting,
         (SELECT count(*) FROM told) FROM taken`,
      [maxCrashes],
    )
    return rows.filter(({ waiting }) => waiting).map(toDispatchable)
  }

  /** Ends waiting tasks that are not to start: expired, or revoked while their worker was lost. Returns those it ended. */
  async endUnwanted(): Promise<readonly EndedTask[]> {
    const isRevoked = 't.revoke_requested_at IS NOT NULL'
    const rows: EndedTask[] = await this.dataSource.query(
      `WITH unwanted AS (
         SELECT id FROM tasks
         WHERE finished_at IS NULL AND (expires_at < now() OR revoke_requested_at IS NOT NULL)
           AND state IN (${sourceList('expired')})
         FOR UPDATE SKIP LOCKED LIMIT 1000
       ), ended AS (
         UPDATE tasks t SET finished_at = now(),
           state = CASE WHEN ${isRevoked} THEN 'cancelled' ELSE 'expired' END,
           error_code = CASE WHEN ${isRevoked} THEN 'TASK_REVOKED' ELSE 'TASK_EXPIRED' END,
           error_message = CASE WHEN ${isRevoked} THEN '${endWords.revoked}' ELSE '${endWords.expired}' END
         FROM unwanted WHERE t.id = unwanted.id RETURNING t.id, t.name, t.queue, t.state
       )
       SELECT id, name, queue, state, pg_notify('${finishedChannel}', id::text) FROM ended`,
    )
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
