import { Command } from 'commander'
import { print } from '../output.js'

/** `memoryguard migrate`: brings the database to the schema of this version. Safe to run twice or at once. */
export function migrateCommand(): Command {
  return new Command('migrate').description('bring the database to the schema of this version').action(async () => {
    const { loadConfig, readEnvironment } = await import('#libs/platform')
    const { createDataSource, runMigrations } = await import('#libs/database')
    const { migrateBroker } = await import('#libs/tasks')
    const config = loadConfig(readEnvironment())
    const dataSource = createDataSource(config)
    await dataSource.initialize()
    try {
      const applied = await runMigrations(dataSource)
      await migrateBroker(config)
      print(applied.length === 0 ? 'The database is up to date.' : `Applied ${applied.join(', ')}.`)
    } finally {
      await dataSource.destroy()
    }
  })
}
