import type { MigrationInterface, QueryRunner } from 'typeorm'
import { createIndexesConcurrently, type ConcurrentIndex } from './concurrent-index.js'

/** The explanations of a prediction; what computes a prediction is found through the prediction, and enters no index. */
const index: ConcurrentIndex = {
  name: 'tasks_about_prediction',
  on: `tasks (prediction_id) WHERE prediction_id IS NOT NULL AND name <> 'ml.process_prediction'`,
}

/** The index by which tasks are searched by their prediction, made while the service runs. */
export class Search1764000016000 implements MigrationInterface {
  readonly transaction = false

  async up(runner: QueryRunner): Promise<void> {
    await createIndexesConcurrently(runner, [index])
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX IF EXISTS ${index.name}`)
  }
}
