import type { MigrationInterface, QueryRunner } from 'typeorm'
import { createIndexesConcurrently, type ConcurrentIndex } from './concurrent-index.js'

/** As `AuditRepository.list` writes it. */
const index: ConcurrentIndex = {
  name: 'audit_log_person',
  on: `audit_log (coalesce(details ->> 'person', target), id)`,
}

/** The index for the entries about one person, made while the service runs. */
export class AuditOfPeople1764000011000 implements MigrationInterface {
  readonly transaction = false

  async up(runner: QueryRunner): Promise<void> {
    await createIndexesConcurrently(runner, [index])
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX IF EXISTS ${index.name}`)
  }
}
