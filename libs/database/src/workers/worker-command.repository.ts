import { Inject, Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import type { Database } from '../connection/database.js'
import { controlChannel } from '../tasks/task-sql.js'

/** A worker that has not done a command by then will not do it any more. */
const lifetimeSeconds = 60

/** A command to one worker process. */
export interface WorkerCommand {
  readonly id: string
  readonly command: string
  readonly args: Record<string, unknown>
}

/** What became of a command. */
export interface CommandOutcome {
  readonly isAcknowledged: boolean
  readonly answer: unknown
  /** Why it was not done. */
  readonly error: string | null
}

/** Commands to workers: stored first, then notified; each is acknowledged in its row. */
@Injectable()
export class WorkerCommandRepository {
  constructor(@Inject(DataSource) private readonly database: Database) {}

  async send(workerId: string, { id, command, args }: WorkerCommand): Promise<void> {
    await this.database.query(
      `WITH sent AS (
         INSERT INTO worker_commands (id, worker_id, command, args, expires_at)
         VALUES ($1, $2, $3, $4, now() + interval '${lifetimeSeconds} s') RETURNING worker_id
       )
       SELECT pg_notify('${controlChannel}', json_build_object('kind', 'command', 'worker', worker_id)::text) FROM sent`,
      [id, workerId, command, JSON.stringify(args)],
    )
  }

  /** Commands that the worker has not acknowledged, first to last. */
  async listOpen(workerId: string): Promise<readonly WorkerCommand[]> {
    return this.database.query(
      `SELECT id, command, args FROM worker_commands
       WHERE worker_id = $1 AND acknowledged_at IS NULL AND expires_at > now() ORDER BY created_at, id`,
      [workerId],
    )
  }

  /** @returns false if it had been acknowledged before. */
  async acknowledge(id: string, outcome: { answer?: unknown; error?: string }): Promise<boolean> {
    const rows: unknown[] = await this.database.query(
      `WITH done AS (
         UPDATE worker_commands SET acknowledged_at = now(), answer = $2, error = $3
         WHERE id = $1 AND acknowledged_at IS NULL RETURNING id
       ) SELECT id FROM done`,
      [id, JSON.stringify(outcome.answer ?? null), outcome.error ?? null],
    )
    return rows.length > 0
  }

  async read(id: string): Promise<CommandOutcome> {
    const [row]: { acknowledged_at: Date | null; answer: unknown; error: string | null }[] = await this.database.query(
      'SELECT acknowledged_at, answer, error FROM worker_commands WHERE id = $1',
      [id],
    )
    return { isAcknowledged: Boolean(row?.acknowledged_at), answer: row?.answer ?? null, error: row?.error ?? null }
  }
}
