import type { DataSource } from 'typeorm'
import type { Config } from '#libs/platform'
import { CommandError } from '../command-error.js'

/** Runs a call on a connection of its own. @throws {CommandError} in one sentence if the database cannot be reached. */
export const withDatabase = async <Result>(
  config: Config,
  call: (dataSource: DataSource) => Promise<Result>,
): Promise<Result> => {
  const { createDataSource, explainFailure } = await import('#libs/database')
  let dataSource: DataSource | undefined
  try {
    dataSource = createDataSource(config)
    await dataSource.initialize()
    return await call(dataSource)
  } catch (cause) {
    throw new CommandError(explainFailure(cause).sentence, { cause })
  } finally {
    if (dataSource?.isInitialized) await dataSource.destroy()
  }
}

/** Version and state of the database, and its migrations. */
export const readDatabase = (config: Config) =>
  withDatabase(config, async (dataSource) => {
    const { readDatabaseFacts } = await import('#libs/database')
    const facts = await readDatabaseFacts(dataSource, config)
    const { applied, pending } = facts.migrations
    return {
      postgresql: facts.version,
      state: facts.isWritable ? 'writable' : 'read-only',
      pooler: facts.pooling,
      size_mib: Math.round(facts.sizeBytes / 1_048_576),
      connections: `${facts.connections.used} of ${facts.connections.max}`,
      estimated_rows: facts.estimatedRows,
      migrations: { applied: applied.length, last: applied.at(-1) ?? null, pending },
    }
  })

/** Kind, version and settings of the broker. */
export const readBroker = async (config: Config) => {
  const { url } = config.broker
  if (url === undefined) {
    const { checkBroker } = await import('#libs/tasks')
    await checkBroker(config)
    return { kind: 'postgresql', where: 'in the database', warnings: [] }
  }
  const { probeRedis } = await import('#libs/tasks/broker-probe')
  const { kind, redis, warnings } = await probeRedis(url)
  return {
    kind,
    version: redis?.version ?? 'unknown',
    role: redis?.role ?? 'unknown',
    max_memory_bytes: redis?.maxMemory ?? 'unknown',
    eviction_policy: redis?.evictionPolicy ?? 'unknown',
    persistence: redis?.persistence ?? 'unknown',
    warnings,
  }
}
