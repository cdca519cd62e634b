import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Chunks of batches are tasks of another name than their batch. Workers run either name. */
export class ChunkTasks1764000012000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      UPDATE tasks SET name = 'ml.compute_batch_chunk'
      WHERE name <> 'ml.process_prediction' AND name = 'ml.batch_predictions' AND args ? 'chunk'`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      UPDATE tasks SET name = 'ml.batch_predictions'
      WHERE name <> 'ml.process_prediction' AND name = 'ml.compute_batch_chunk'`)
  }
}
