import type { Config } from '#libs/platform'
import type { DataSource } from 'typeorm'
import { connectionTargets } from './connection-target.js'
import { readMigrations, type MigrationState } from './migration-state.js'

/** What is known of a database that can be reached; nothing of what is stored in it. */
export interface DatabaseFacts {
  readonly version: string
  /** Rows can be written. */
  readonly isWritable: boolean
  /** `none`, or how a pooler lends its servers. */
  readonly pooling: string
  readonly sizeBytes: number
  readonly connections: { readonly used: number; readonly max: number }
  /** Estimated by the server; empty before it has counted, or without tables. */
  readonly estimatedRows: Readonly<Record<string, number>>
  readonly migrations: MigrationState
}

interface FactsRow {
  readonly version: string
  readonly isWritable: boolean
  readonly size: string
  readonly used: number
  readonly max: number
}

/** Reads the facts over an initialized data source. @throws pg's error */
export const readDatabaseFacts = async (dataSource: DataSource, config: Config): Promise<DatabaseFacts> => {
  const [row]: FactsRow[] = await dataSource.query(`
    SELECT current_setting('server_version') AS version,
      NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off' AS "isWritable",
      pg_database_size(current_database()) AS size,
      (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
      current_setting('max_connections')::int AS max`)
  const counted: { name: string; rows: number }[] = await dataSource.query(`
    SELECT relname AS name, reltuples::float8 AS rows FROM pg_class
    WHERE oid IN (to_regclass('tasks'), to_regclass('predictions')) AND reltuples >= 0 ORDER BY relname`)
  return {
    version: row?.version ?? 'unknown',
    isWritable: row?.isWritable ?? false,
    pooling: connectionTargets(config).main.pooling ?? 'unknown',
    sizeBytes: Number(row?.size ?? 0),
    connections: { used: row?.used ?? 0, max: row?.max ?? 0 },
    estimatedRows: Object.fromEntries(counted.map(({ name, rows }) => [name, rows])),
    migrations: await readMigrations(dataSource),
  }
}
