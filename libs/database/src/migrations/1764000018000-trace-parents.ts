import type { MigrationInterface, QueryRunner } from 'typeorm'

/** `tasks.traceparent` is the span of the request that submitted a task, for tasks whose trace is recorded. */
export class TraceParents1764000018000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE tasks ADD COLUMN traceparent text')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE tasks DROP COLUMN traceparent')
  }
}
