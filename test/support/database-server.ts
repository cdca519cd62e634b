import { createDataSource, runMigrations } from '#libs/database'
import { loadConfig } from '#libs/platform'
import { migrateBroker } from '#libs/tasks'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { startTemporaryPostgres } from './temporary-postgres.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of the shared server's maintenance database. */
    readonly databaseServer: string
  }
}

/** Name of the migrated database that each test file's own is cloned from. */
export const templateDatabase = 'template_memoryguard'

/** Vitest's global set-up of the medium tests: one PostgreSQL for the run, with a migrated template. */
export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  const server = await startTemporaryPostgres()
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  await client.query(`CREATE DATABASE ${templateDatabase}`)
  await client.end()
  const config = loadConfig({ DATABASE_URL: databaseUrl(server.url, templateDatabase) })
  const dataSource = createDataSource(config)
  await dataSource.initialize()
  await runMigrations(dataSource)
  await dataSource.destroy()
  await migrateBroker(config)
  project.provide('databaseServer', server.url)
  return () => server.stop()
}

/** The same server's URL with another database. */
export const databaseUrl = (serverUrl: string, database: string): string => {
  const url = new URL(serverUrl)
  url.pathname = `/${database}`
  return url.href
}
