import type { MigrationInterface, QueryRunner } from 'typeorm'
import { createIndexesConcurrently, type ConcurrentIndex } from './concurrent-index.js'

/**
 * How a task ended without success, by its error; of a task that is still to be tried again, 'failed'. The state itself
 * must stand in no index: a claim changes it, and would no longer be a heap-only update.
 */
const kind = `(CASE error_code WHEN 'TASK_REVOKED' THEN 'cancelled' WHEN 'TASK_EXPIRED' THEN 'expired'
  WHEN 'TASK_HARD_TIME_LIMIT' THEN 'timed_out' WHEN 'TASK_SOFT_TIME_LIMIT' THEN 'timed_out' ELSE 'failed' END)`

const indexes: readonly ConcurrentIndex[] = [
  { name: 'tasks_user', on: 'tasks (user_id, id) WHERE user_id IS NOT NULL' },
  { name: 'tasks_ended', on: 'tasks (queue, finished_at) WHERE finished_at IS NOT NULL' },
  { name: 'tasks_of_name', on: `tasks (name, id) WHERE name <> 'ml.process_prediction'` },
  { name: 'tasks_of_queue', on: `tasks (queue, id) WHERE queue <> 'predictions'` },
  { name: 'tasks_error', on: 'tasks (error_code, id) WHERE error_code IS NOT NULL' },
  { name: 'tasks_kind', on: `tasks (${kind}, id) WHERE error_code IS NOT NULL` },
  { name: 'tasks_user_kind', on: `tasks (user_id, ${kind}, id) WHERE error_code IS NOT NULL AND user_id IS NOT NULL` },
  {
    name: 'tasks_kind_prediction',
    on: `tasks (${kind}, prediction_id) WHERE error_code IS NOT NULL AND name = 'ml.process_prediction'`,
  },
  {
    name: 'tasks_user_kind_prediction',
    on: `tasks (user_id, ${kind}, prediction_id) WHERE error_code IS NOT NULL AND name = 'ml.process_prediction'`,
  },
  {
    name: 'tasks_unwanted',
    on: 'tasks (expires_at) WHERE finished_at IS NULL AND (expires_at IS NOT NULL OR revoke_requested_at IS NOT NULL)',
  },
  { name: 'batches_user', on: 'batches (user_id, id) WHERE user_id IS NOT NULL' },
  {
    name: 'batch_chunks_people',
    on: 'batch_chunks (batch_id, chunk) WHERE user_ids IS NOT NULL OR error_count > 0',
  },
  { name: 'webhook_deliveries_state', on: 'webhook_deliveries (webhook_id, state, position)' },
]

/**
 * The indexes of lists and statistics, made while the service runs. A prediction that succeeds enters two of them:
 * `tasks_user` and `tasks_ended`. The others hold what is rare, or what is written once for many predictions.
 */
export class IndexesOfLists1764000010000 implements MigrationInterface {
  readonly transaction = false

  async up(runner: QueryRunner): Promise<void> {
    // Chunks of cancelled batches had no error, so that lists of what was cancelled left them out.
    await runner.query(`
      UPDATE tasks SET error_code = 'TASK_REVOKED', error_message = 'It was revoked.'
      WHERE state = 'cancelled' AND error_code IS NULL`)
    await createIndexesConcurrently(runner, indexes)
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS tasks_troubled')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE INDEX tasks_troubled ON tasks (id) WHERE error_code IS NOT NULL')
    for (const { name } of indexes) await runner.query(`DROP INDEX IF EXISTS ${name}`)
  }
}
