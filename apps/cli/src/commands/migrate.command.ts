import { Command } from 'commander'
import { CommandError } from '../command-error.js'
import { print, warn } from '../output.js'

/** `memoryguard migrate`: brings the database to the schema of this version. Safe to run twice or at once. */
export function migrateCommand(): Command {
  return new Command('migrate').description('bring the database to the schema of this version').action(async () => {
    const { loadConfig, readEnvironment, reasonOf } = await import('#libs/platform')
    const { createDataSource, isDatabaseUnavailable, runMigrations } = await import('#libs/database')
    const { migrateBroker } = await import('#libs/tasks')
    const { useRunningDatabase } = await import('../start/running-database.js')
    const env = readEnvironment()
    useRunningDatabase(env)
    const config = loadConfig(env)
    if (config.broker.url) await warnOfBroker(config.broker.url)
    const dataSource = createDataSource(config)
    try {
      await dataSource.initialize()
    } catch (cause) {
      if (!isDatabaseUnavailable(cause)) throw cause
      const message = `The database does not answer (${reasonOf(cause)}). Is it running, is DATABASE_URL right?`
      throw new CommandError(message, { cause })
    }
    try {
      const applied = await runMigrations(dataSource)
      await migrateBroker(config)
      print(applied.length === 0 ? 'The database is up to date.' : `Applied ${applied.join(', ')}.`)
    } finally {
      await dataSource.destroy()
    }
  })
}

/** Without its broker the database can be migrated, but not with one that can never work. @throws MemoryGuardError */
async function warnOfBroker(brokerUrl: string): Promise<void> {
  const { probeRedis } = await import('#libs/tasks/broker-probe')
  const { MemoryGuardError } = await import('#libs/platform')
  try {
    const { warnings } = await probeRedis(brokerUrl)
    warnings.forEach(warn)
  } catch (error) {
    if (!(error instanceof MemoryGuardError && error.retryable)) throw error
    warn(error.message)
  }
}
