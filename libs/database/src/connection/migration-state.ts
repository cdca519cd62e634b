import { MemoryGuardError } from '#libs/platform'
import type { DataSource } from 'typeorm'

/** Names of migrations, in their order. */
export interface MigrationState {
  readonly applied: readonly string[]
  /** Of this version, and not applied yet. */
  readonly pending: readonly string[]
  /** Applied by a newer version: this one works with what they add. */
  readonly newer: readonly string[]
}

/** Only reads: TypeORM's own check would create its table and so collide with a migration that is just running. */
export const readMigrations = async (dataSource: DataSource): Promise<MigrationState> => {
  const own = dataSource.migrations.map((migration) => migration.name ?? migration.constructor.name)
  const [table]: { exists: boolean }[] = await dataSource.query(
    `SELECT count(*) = 2 AS exists FROM pg_attribute
     WHERE attrelid = to_regclass('migrations') AND attname IN ('name', 'timestamp')`,
  )
  if (!table?.exists) return { applied: [], pending: own, newer: [] }
  const rows: { name: string }[] = await dataSource.query('SELECT name FROM migrations ORDER BY id')
  const applied = rows.map(({ name }) => name)
  return {
    applied,
    pending: own.filter((name) => !applied.includes(name)),
    newer: applied.filter((name) => !own.includes(name)),
  }
}

/** Every table that the migrations make. */
export const ownTables: readonly string[] = [
  'api_keys',
  'audit_head',
  'audit_log',
  'batch_chunks',
  'batches',
  'celery_calls',
  'celery_revokes',
  'erased_tasks',
  'explanations',
  'forecasts',
  'health_metrics',
  'model_activations',
  'oidc_callers',
  'paused_queues',
  'plan_slices',
  'plans',
  'predictions',
  'pseudonym_key',
  'queue_samples',
  'schedules',
  'session_links',
  'sessions',
  'shadow_reports',
  'statistics_progress',
  'task_attempts',
  'task_progress',
  'task_rollups',
  'tasks',
  'webhook_cursor',
  'webhook_deliveries',
  'webhooks',
  'worker_commands',
  'workers',
]

/**
 * Rejects a database in which no migration of ours was applied and another program has what ours would make.
 * @throws MemoryGuardError CONFIG_INVALID
 */
export const assertNoForeignTables = async (dataSource: DataSource): Promise<void> => {
  // The tables are read before the migrations: those that a migration is just making are then seen with it.
  const found: { name: string }[] = await dataSource.query(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = current_schema() AND (c.relname = ANY($1) OR c.relname = 'migrations' AND NOT EXISTS (
       SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'timestamp')) ORDER BY 1`,
    [ownTables],
  )
  if (found.length === 0) return
  const { pending } = await readMigrations(dataSource)
  if (pending.length < dataSource.migrations.length) return
  const names = found.map(({ name }) => name).join(', ')
  throw new MemoryGuardError(
    'CONFIG_INVALID',
    `The database already has tables of another program (${names}): give MemoryGuard an empty database of its own.`,
  )
}
