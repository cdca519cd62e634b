import type { MigrationInterface, QueryRunner } from 'typeorm'
import { createIndexesConcurrently } from './concurrent-index.js'

/**
 * Lists by person read unfinished tasks apart from ended ones, so that a task enters the index by person once, when it
 * ends, instead of when it is stored and again when it ends.
 */
export class IndexOfEndedTasks1764000013000 implements MigrationInterface {
  readonly transaction = false

  async up(runner: QueryRunner): Promise<void> {
    await createIndexesConcurrently(runner, [
      { name: 'tasks_ended_user', on: 'tasks (user_id, id) WHERE user_id IS NOT NULL AND finished_at IS NOT NULL' },
    ])
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS tasks_user')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE INDEX tasks_user ON tasks (user_id, id) WHERE user_id IS NOT NULL')
    await runner.query('DROP INDEX IF EXISTS tasks_ended_user')
  }
}
