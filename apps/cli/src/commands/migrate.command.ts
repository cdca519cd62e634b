import { Command } from 'commander'
import { CommandError } from '../command-error.js'
import { print, warn } from '../output.js'
import { parseSeconds } from './parse-flags.js'

interface MigrateFlags {
  readonly wait: number
}

/** `memoryguard migrate`: brings the database to the schema of this version. Safe to run twice or at once. */
export const migrateCommand = (): Command =>
  new Command('migrate')
    .description('create or update the tables in the database')
    .option('--wait <seconds>', 'how long to wait for a database that does not respond yet', parseSeconds, 60)
    .action(migrate)

const migrate = async ({ wait }: MigrateFlags): Promise<void> => {
  const { loadConfig, readEnvironment } = await import('#libs/platform')
  const { connectWithin, createDataSource, explainFailure, isDatabaseFailure, readMigrations, runMigrations } =
    await import('#libs/database')
  const { migrateBroker } = await import('#libs/tasks')
  const { checkRedis } = await import('../start/broker-check.js')
  const { useRunningDatabase } = await import('../start/running-database.js')
  const env = readEnvironment()
  useRunningDatabase(env)
  const config = loadConfig(env)
  // Without its broker the database can be migrated, but not with one that can never work.
  if (config.broker.url) await checkRedis(config.broker.url, { mayBeAway: true })
  const isDirect = config.database.directUrl !== undefined
  const variable = isDirect ? 'DATABASE_DIRECT_URL' : 'DATABASE_URL'
  const dataSource = createDataSource(config, { isDirect })
  try {
    await connectWithin(dataSource, config, {
      waitMs: wait * 1000,
      onWait: (error) => warn(`${explainFailure(error, variable).sentence} Trying for up to ${wait} s.`),
    })
    const applied = await runMigrations(dataSource)
    await migrateBroker(config)
    const { newer } = await readMigrations(dataSource)
    print(describe(applied, newer))
  } catch (cause) {
    if (!isDatabaseFailure(cause)) throw cause
    throw new CommandError(explainFailure(cause, variable).sentence, { cause })
  } finally {
    if (dataSource.isInitialized) await dataSource.destroy()
  }
}

const describe = (applied: readonly string[], newer: readonly string[]): string => {
  if (applied.length > 0) return `Applied ${applied.join(', ')}.`
  if (newer.length === 0) return 'The database is up to date.'
  return `A newer version of MemoryGuard has migrated the database (${newer.join(', ')}). Nothing was changed.`
}
