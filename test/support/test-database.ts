import { randomBytes } from 'node:crypto'
import { createDataSource, PreparedStatements } from '#libs/database'
import { loadConfig, type Config } from '#libs/platform'
import type { DataSource } from 'typeorm'
import { inject } from 'vitest'
import { databaseUrl, templateDatabase } from './database-server.js'
import { query } from './query.js'

/** A database of a test file's own. */
export interface TestDatabase {
  readonly url: string
  readonly config: Config
  readonly dataSource: DataSource
  readonly prepared: PreparedStatements
  drop(): Promise<void>
}

/** Clones the migrated template on the shared server, or makes an empty database. */
export const createTestDatabase = async ({
  env = {},
  empty = false,
}: { readonly env?: Readonly<Record<string, string>>; readonly empty?: boolean } = {}): Promise<TestDatabase> => {
  const server = inject('databaseServer')
  const name = `test_${randomBytes(6).toString('hex')}`
  await query(server, `CREATE DATABASE ${name} ${empty ? '' : `TEMPLATE ${templateDatabase}`}`)
  const url = databaseUrl(server, name)
  const config = loadConfig({ DATABASE_URL: url, ...env })
  const dataSource = createDataSource(config)
  await dataSource.initialize()
  const prepared = new PreparedStatements(config)
  return {
    url,
    config,
    dataSource,
    prepared,
    drop: async () => {
      await prepared.onApplicationShutdown()
      if (dataSource.isInitialized) await dataSource.destroy()
      await query(server, `DROP DATABASE ${name} WITH (FORCE)`)
    },
  }
}
