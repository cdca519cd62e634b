import { Inject, Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import type { TaskState } from '#libs/tasks/contracts'
import type { Database } from '../connection/database.js'
import { PreparedStatements } from '../connection/prepared-statements.js'
import { toEnqueueable, type EnqueueableTask, type EnqueueRow } from '../tasks/enqueue-row.js'
import type { NewTask } from '../tasks/task-call.repository.js'
import * as sql from './celery.sql.js'
import { toEnded, type CallFailure, type EndedCeleryCall, type EndedRow } from './ended-call.js'

/** A call of a Celery client, before anything of it is stored. */
export interface NewCeleryCall {
  readonly celeryId: string
  readonly name: string
  /** The queue of Celery in which it was. */
  readonly celeryQueue: string
  /** What publishing its results will need, as text; null if nobody waits for them. */
  readonly request: string | null
  /** Stamps that may have revoked it before it came; see `stampKey`. */
  readonly stamps: readonly string[]
  readonly task?: NewTask | undefined
  /** The caller's own number of the prediction. */
  readonly externalId?: number | undefined
  /** Celery's id of the task that called it. */
  readonly parentCall?: string | null
  readonly failure?: CallFailure | undefined
  /** A message that cannot be read, as it came. */
  readonly raw?: Buffer | undefined
}

/** A stored call. */
export interface StoredCall {
  readonly celeryId: string
  /** To be enqueued; undefined if it has ended already. */
  readonly task: EnqueueableTask | undefined
  readonly taskId: string | undefined
}

/** The prediction that a caller means by a number. */
export interface ResolvedPrediction {
  /** The newest that was made for this number of the caller's. */
  readonly external: { readonly id: number; readonly userId: number } | null
  /** The one that has this number here. */
  readonly own: { readonly id: number; readonly userId: number } | null
}

/** A call that is stored and has not ended. */
export interface OpenCall {
  readonly id: string
  readonly taskId: string
  readonly name: string
  readonly queue: string
  readonly state: TaskState
  readonly worker: string | null
  readonly eta: Date | null
  readonly priority: number
  readonly startedAt: Date | null
}

/** The words of a failure may repeat what a caller wrote, which PostgreSQL may not hold. */
const storable = (value: unknown): unknown =>
  typeof value === 'string' ? value.replaceAll(/[\0\p{Surrogate}]/gu, '\uFFFD') : value

/** Calls of Celery clients, from the message to the published result. */
@Injectable()
export class CeleryCallRepository {
  constructor(
    @Inject(DataSource) private readonly database: Database,
    private readonly prepared: PreparedStatements,
  ) {}

  /**
   * Stores calls in one statement; they survive a crash of the server after `TaskRepository.makeDurable`. Those that are
   * missing in what it returns were known before, which `listKnown` tells, or are about a prediction that is no longer
   * there, or have a number that another person's prediction has.
   */
  async store(calls: readonly NewCeleryCall[], gateway: string): Promise<readonly StoredCall[]> {
    const input = calls.map(
      ({ task: { prediction, args, ...task } = {} as Partial<NewTask>, raw, failure, ...call }) => ({
        ...task,
        ...prediction,
        ...call,
        args: args ?? {},
        raw: raw?.toString('base64'),
        failure: failure && { ...failure, args: failure.args.map(storable) },
      }),
    )
    const rows = await this.prepared.query<
      EnqueueRow & { id: string | null; celery_id: string; finished_at: Date | null }
    >(sql.storeCalls, [JSON.stringify(input), gateway])
    return rows.map((row) => ({
      celeryId: row.celery_id,
      taskId: row.id ?? undefined,
      task: row.id === null || row.finished_at !== null ? undefined : toEnqueueable(row),
    }))
  }

  /** Links a call to the batch that it has become. */
  async storeBatch(
    { celeryId, name, celeryQueue, request, stamps }: Omit<NewCeleryCall, 'task' | 'failure' | 'raw'>,
    { taskId, gateway, eta }: { readonly taskId: string; readonly gateway: string; readonly eta?: Date | undefined },
  ): Promise<void> {
    const values = [celeryId, taskId, name, celeryQueue, gateway, request, stamps, eta ?? null]
    await this.database.query(sql.storeBatchCall, values)
  }

  /** Those of the ids whose calls are stored, with their tasks. */
  async listKnown(ids: readonly string[]): Promise<ReadonlyMap<string, string | null>> {
    const rows: { id: string; task_id: string | null }[] = await this.database.query(
      'SELECT id, task_id FROM celery_calls WHERE id = ANY($1::text[])',
      [ids],
    )
    return new Map(rows.map(({ id, task_id }) => [id, task_id]))
  }

  /** The task that a call became; null if there is no such call, or it became none. */
  async findTask(id: string): Promise<string | null> {
    return (await this.listKnown([id])).get(id) ?? null
  }

  /** The call that a task came from. */
  async findByTask(taskId: string): Promise<{ readonly id: string; readonly queue: string } | null> {
    const [row]: { id: string; queue: string }[] = await this.database.query(
      'SELECT id, queue FROM celery_calls WHERE task_id = $1',
      [taskId],
    )
    return row ?? null
  }

  /** The requests of calls that have not been published, by task. */
  async readRequests(taskIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows: { task_id: string; request: string }[] = await this.database.query(
      'SELECT task_id, request FROM celery_calls WHERE task_id = ANY($1::uuid[]) AND request IS NOT NULL',
      [taskIds],
    )
    return new Map(rows.map(({ task_id, request }) => [task_id, request]))
  }

  /** Takes ended calls of the given tasks, and given calls that failed without one; other gateways leave them alone. */
  async takeEnded(
    taskIds: readonly string[],
    callIds: readonly string[],
    limit: number,
  ): Promise<readonly EndedCeleryCall[]> {
    const rows = await this.prepared.query<EndedRow>(sql.takeEndedCalls, [taskIds, callIds, limit])
    return rows.map(toEnded)
  }

  /** Takes ended calls of any gateway: what a lost notification or a dead process has left. It reads every open call. */
  async takeAnyEnded(limit: number): Promise<readonly EndedCeleryCall[]> {
    const rows: EndedRow[] = await this.database.query(sql.takeAnyEndedCalls, [limit])
    return rows.map(toEnded)
  }

  /** Those of the tasks whose calls have still to be delivered. */
  async listUndelivered(taskIds: readonly string[]): Promise<ReadonlySet<string>> {
    const rows: { task_id: string }[] = await this.database.query(
      'SELECT task_id FROM celery_calls WHERE task_id = ANY($1::uuid[]) AND delivered_at IS NULL',
      [taskIds],
    )
    return new Set(rows.map(({ task_id }) => task_id))
  }

  async markDelivered(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.prepared.query(sql.markDelivered, [ids])
  }

  /** Publishing failed: others may try again after some seconds. */
  async postpone(ids: readonly string[], seconds: number): Promise<void> {
    if (ids.length > 0) await this.database.query(sql.postponeDelivery, [ids, seconds])
  }

  /** What callers mean by these numbers of predictions. */
  async resolvePredictions(ids: readonly number[]): Promise<ReadonlyMap<number, ResolvedPrediction>> {
    if (ids.length === 0) return new Map()
    const rows: Record<
      'asked' | 'external_prediction' | 'external_user' | 'own_prediction' | 'own_user',
      number | null
    >[] = await this.database.query(sql.resolvePredictions, [ids])
    return new Map(
      rows.map((row) => [
        row.asked ?? 0,
        {
          external: toOwner(row.external_prediction, row.external_user),
          own: toOwner(row.own_prediction, row.own_user),
        },
      ]),
    )
  }

  /** The tasks of calls that have not ended; with `areRunning`, those that run too. */
  async listOpenTasks(ids: readonly string[], areRunning: boolean): Promise<readonly string[]> {
    const rows: { task_id: string }[] = await this.database.query(sql.selectOpenTasks, [ids, areRunning])
    return rows.map(({ task_id }) => task_id)
  }

  /** The open calls that bear one of the stamps. */
  async listStamped(stamps: readonly string[]): Promise<readonly string[]> {
    const rows: { id: string }[] = await this.database.query(
      'SELECT id FROM celery_calls WHERE delivered_at IS NULL AND stamps && $1::text[]',
      [stamps],
    )
    return rows.map(({ id }) => id)
  }

  /** Calls that have not ended, oldest first: those that run in a worker, and those that it took; or some of them. */
  async listOpen(worker: string, limit: number, ids: readonly string[] | null = null): Promise<readonly OpenCall[]> {
    return this.database.query(sql.selectOpenCalls, [limit, ids, worker])
  }

  /** Removes calls and revokes of which nobody asks any more. Returns whether there may be more. */
  async removeOld(seconds: number): Promise<boolean> {
    const [row]: { removed: string }[] = await this.database.query(sql.removeOldCalls, [seconds])
    return Number(row?.removed ?? 0) > 0
  }
}

const toOwner = (id: number | null, userId: number | null) => (id === null || userId === null ? null : { id, userId })
