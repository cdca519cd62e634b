import { Inject, Injectable } from '@nestjs/common'
import { batchPredictions, computeBatchChunk, terminalStates } from '#libs/tasks/contracts'
import { DataSource } from 'typeorm'
import type { Database } from '../connection/database.js'
import { switchOffGone } from './gone-receiver.js'

/** Event that a webhook is sent to try it out. */
export const testEvent = 'webhook.test'

/** Events of webhooks: a task has ended so. */
export const webhookEvents: readonly string[] = terminalStates.map((state) => `task.${state}`)

export type DeliveryState = 'pending' | 'delivered' | 'failed'

/** One message to one webhook, with what became of it. */
export interface Delivery {
  /** Also the `webhook-id` of each attempt. */
  readonly id: string
  /** Later deliveries have greater ones. */
  readonly position: number
  readonly event: string
  readonly taskId: string | null
  readonly state: DeliveryState
  readonly attempts: number
  /** Null when nothing more is tried. */
  readonly nextAttemptAt: Date | null
  /** Of the last attempt's response. */
  readonly statusCode: number | null
  readonly error: string | null
  readonly createdAt: Date
  readonly lastAttemptAt: Date | null
}

/** A delivery that this process is to attempt. */
export interface ClaimedDelivery {
  readonly id: string
  readonly webhookId: string
  readonly url: string
  /** Each signs; the newest first. */
  readonly secrets: readonly string[]
  readonly event: string
  readonly occurredAt: Date
  /** Identifiers and states only. */
  readonly data: Readonly<Record<string, unknown>>
  /** Which attempt it is; only its holder may say what became of it. */
  readonly attempt: number
  /** Attempts that failed since it was made, or made due again. */
  readonly failures: number
  /** Seconds since 1970. */
  readonly claimedAt: number
  /** W3C `traceparent` of the request that submitted the task, if its trace is recorded. */
  readonly traceparent: string | null
  readonly taskId: string | null
}

/** What became of an attempt. */
export interface AttemptReport {
  readonly id: string
  readonly attempt: number
  readonly statusCode: number | null
  readonly error: string | null
  /** Seconds until the next attempt; null for none. */
  readonly retryInSeconds: number | null
  /** The receiver is gone for good: nothing more is sent to it. */
  readonly isGone: boolean
}

/** The columns of a `Delivery`. */
const columns = `id, position::float8 AS position, event, task_id AS "taskId", state, attempts,
  CASE WHEN state = 'pending' THEN next_attempt_at END AS "nextAttemptAt", status_code AS "statusCode", error,
  created_at AS "createdAt", last_attempt_at AS "lastAttemptAt"`

/** Deliveries that are forgotten by one statement. */
const prunedAtOnce = 1_000

/** What is to be sent, and the log of what was. */
@Injectable()
export class WebhookDeliveryRepository {
  constructor(@Inject(DataSource) private readonly database: Database) {}

  /**
   * From when on to read ends of tasks, in milliseconds since the epoch: the end of the last run, or the time when the
   * first webhook was enabled. Null if there is no enabled webhook.
   */
  async findPlanStart(): Promise<number | null> {
    const [row]: { start: number | null }[] = await this.database.query(
      `SELECT floor(extract(epoch FROM greatest(min(active_since), (SELECT planned_until FROM webhook_cursor))) * 1000)::float8
         AS start
       FROM webhooks WHERE is_active HAVING count(*) > 0`,
    )
    return row?.start ?? null
  }

  /**
   * Makes the deliveries of tasks that have ended at or after `since`: of `finished`, or, without that, of all, which
   * reads every row of the table. There is one for each webhook, task and end, however often it is called.
   * The chunks of a batch are passed over: the batch is what ends. Then the next search starts at `until`.
   */
  async plan(since: number, until: number, finished: readonly string[] | null): Promise<void> {
    await this.database.query(
      `WITH made AS (
         INSERT INTO webhook_deliveries (webhook_id, event, task_id, occurred_at, data)
         SELECT w.id, 'task.' || t.state, t.id, t.finished_at, jsonb_build_object(
           'task_id', t.id, 'name', t.name, 'queue', t.queue, 'state', t.state, 'attempt', t.attempt,
           'error_code', t.error_code, 'prediction_id', t.prediction_id,
           'batch_id', CASE WHEN t.name = '${batchPredictions.name}' THEN t.id END)
         FROM tasks t JOIN webhooks w ON w.is_active AND 'task.' || t.state = ANY(w.events)
           AND (w.task_names IS NULL OR t.name = ANY(w.task_names)) AND t.finished_at >= w.active_since
         WHERE t.finished_at >= $1 AND t.name <> '${computeBatchChunk.name}' ${finished ? 'AND t.id = ANY($3::uuid[])' : ''}
         ORDER BY t.finished_at
         ON CONFLICT DO NOTHING
       )
       INSERT INTO webhook_cursor (planned_until) VALUES ($2)
       ON CONFLICT (id) DO UPDATE SET planned_until = greatest(webhook_cursor.planned_until, excluded.planned_until)`,
      [new Date(since), new Date(until), ...(finished ? [finished] : [])],
    )
  }

  /** Of the given tasks, those that ended at or after a time. */
  async listEndedSince(ids: readonly string[], since: number): Promise<ReadonlySet<string>> {
    const rows: { id: string }[] = await this.database.query(
      'SELECT id FROM tasks WHERE id = ANY($1::uuid[]) AND finished_at >= $2',
      [ids, new Date(since)],
    )
    return new Set(rows.map(({ id }) => id))
  }

  /**
   * Takes due deliveries, of each webhook at most `perWebhook`, and of those in `busy` none. Until `leaseSeconds` have
   * passed no one else takes them; a process that dies meanwhile causes another attempt with the same id.
   */
  async claim(busy: readonly string[], perWebhook: number, leaseSeconds: number): Promise<readonly ClaimedDelivery[]> {
    return this.database.query(
      `WITH due AS MATERIALIZED (
         SELECT d.id FROM webhooks w, LATERAL (
           SELECT id FROM webhook_deliveries
           WHERE webhook_id = w.id AND state = 'pending' AND next_attempt_at <= now()
           ORDER BY next_attempt_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS d
         WHERE w.is_active AND w.id <> ALL($1::uuid[])
       ), claimed AS (
         UPDATE webhook_deliveries d SET attempts = attempts + 1, last_attempt_at = now(),
           next_attempt_at = now() + make_interval(secs => $3)
         FROM due WHERE d.id = due.id
         RETURNING d.*
       )
       SELECT c.id, c.webhook_id AS "webhookId", w.url, c.event, c.occurred_at AS "occurredAt", c.data,
         array_remove(ARRAY[w.secret, CASE WHEN w.previous_secret_until > now() THEN w.previous_secret END], NULL) AS secrets,
         c.attempts AS attempt, c.failures, floor(extract(epoch FROM now()))::float8 AS "claimedAt",
         c.task_id AS "taskId", t.traceparent
       FROM claimed c JOIN webhooks w ON w.id = c.webhook_id LEFT JOIN tasks t ON t.id = c.task_id ORDER BY c.position`,
      [busy, perWebhook, leaseSeconds],
    )
  }

  /** Stores what became of an attempt, unless a later one has begun. */
  async report(report: AttemptReport): Promise<void> {
    if (!report.isGone) return void (await storeReport(this.database, report))
    await this.database.transaction(async (transaction) => {
      // Reports about one webhook wait here for each other, and not later for each other's deliveries.
      await transaction.query(
        'SELECT 1 FROM webhooks WHERE id = (SELECT webhook_id FROM webhook_deliveries WHERE id = $1) FOR UPDATE',
        [report.id],
      )
      const webhookId = await storeReport(transaction, report)
      if (webhookId !== undefined) await switchOffGone(transaction, webhookId)
    })
  }

  /** Hands an attempt back that was not made: it is due at once, and counts as no failure. */
  async release(id: string, attempt: number): Promise<void> {
    await this.database.query(
      `UPDATE webhook_deliveries SET next_attempt_at = now() WHERE id = $1 AND attempts = $2 AND state = 'pending'`,
      [id, attempt],
    )
  }

  /** Makes a message that tries a webhook out. */
  async createTest(webhookId: string): Promise<Delivery> {
    const [made]: Delivery[] = await this.database.query(
      `INSERT INTO webhook_deliveries (webhook_id, event, occurred_at, data)
       VALUES ($1, '${testEvent}', now(), jsonb_build_object('webhook_id', $1::uuid)) RETURNING ${columns}`,
      [webhookId],
    )
    if (!made) throw new Error('An insert returned no row')
    return made
  }

  /** Makes a delivery due now, with all its retries before it. Null if there is none. */
  async redeliver(webhookId: string, id: string): Promise<Delivery | null> {
    const [changed]: Delivery[] = await this.database.query(
      `WITH changed AS (
         UPDATE webhook_deliveries SET state = 'pending', failures = 0, next_attempt_at = now()
         WHERE webhook_id = $1 AND id = $2 RETURNING *
       ) SELECT ${columns} FROM changed`,
      [webhookId, id],
    )
    return changed ?? null
  }

  /** Newest first; `before` is the position of the last one of the page before. */
  async list(
    webhookId: string,
    filter: {
      readonly state?: DeliveryState | undefined
      readonly before?: number | undefined
      readonly limit: number
    },
  ): Promise<readonly Delivery[]> {
    return this.database.query(
      `SELECT ${columns} FROM webhook_deliveries AS d
       WHERE webhook_id = $1 AND ($2::text IS NULL OR state = $2) AND ($3::bigint IS NULL OR position < $3)
       ORDER BY d.position DESC LIMIT $4`,
      [webhookId, filter.state ?? null, filter.before ?? null, filter.limit],
    )
  }

  /**
   * Forgets a page of what was made so many days ago and is no longer tried, of each webhook the oldest. Returns whether
   * there may be more.
   */
  async prune(olderThanDays: number, limit = prunedAtOnce): Promise<boolean> {
    const [row]: { removed: number }[] = await this.database.query(
      `WITH gone AS (
         DELETE FROM webhook_deliveries WHERE id IN (
           SELECT d.id FROM webhooks w, LATERAL (
             SELECT id, state, created_at FROM webhook_deliveries WHERE webhook_id = w.id ORDER BY position LIMIT $2) AS d
           WHERE d.created_at < now() - make_interval(days => $1) AND (d.state <> 'pending' OR NOT w.is_active)
           LIMIT $2)
         RETURNING id
       ) SELECT count(*)::integer AS removed FROM gone`,
      [olderThanDays, limit],
    )
    return row?.removed === limit
  }
}

/** Returns the webhook of the delivery; undefined if the attempt was no longer the one that counts. */
const storeReport = async (
  database: Database,
  { id, attempt, statusCode, error, retryInSeconds }: AttemptReport,
): Promise<string | undefined> => {
  const [row]: { webhook_id: string }[] = await database.query(
    `WITH done AS (
       UPDATE webhook_deliveries SET
         state = CASE WHEN $4::text IS NULL THEN 'delivered' WHEN $5::float8 IS NULL THEN 'failed' ELSE 'pending' END,
         failures = failures + CASE WHEN $4::text IS NULL THEN 0 ELSE 1 END,
         next_attempt_at = now() + make_interval(secs => coalesce($5::float8, 0)),
         status_code = $3, error = $4
       WHERE id = $1 AND attempts = $2 AND state = 'pending' RETURNING webhook_id
     ) SELECT webhook_id FROM done`,
    [id, attempt, statusCode, error, retryInSeconds],
  )
  return row?.webhook_id
}
