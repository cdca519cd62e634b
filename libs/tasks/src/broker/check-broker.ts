import { setTimeout as pause } from 'node:timers/promises'
import { MemoryGuardError, reasonOf, withinTime, type Config, type Logger } from '#libs/platform'
import { PostgresConnection, SchemaMigrationRequiredError, SchemaVersionMismatchError } from 'bullmq'
import { probeRedis, type BrokerFacts } from '../broker-probe/index.js'
import { queueConnection } from './broker-options.js'

/** Longest time that a check of the queues of PostgreSQL takes, in milliseconds. */
const checkMs = 5_000
/** `migrate` makes the tables first and the queues a moment later: a process that starts meanwhile waits so long. */
const migrationMs = 5_000
const migrationPollMs = 500

/**
 * Tries whether the queues can be used, in bounded time.
 * @throws MemoryGuardError CONFIG_INVALID for what does not pass by itself, BROKER_UNAVAILABLE for what may; one sentence.
 */
export const checkBroker = async (config: Config): Promise<BrokerFacts> =>
  config.broker.url ? probeRedis(config.broker.url) : checkQueueTables(config)

/**
 * The check of a process that starts: what may pass is logged, for the process does what it can without the broker, and so
 * is what its settings put at risk, which is returned; undefined if the broker is not there yet.
 * @throws MemoryGuardError CONFIG_INVALID for what does not pass by itself.
 */
export const checkBrokerAtStart = async (config: Config, log: Logger): Promise<readonly string[] | undefined> => {
  for (const end = performance.now() + migrationMs; ; await pause(migrationPollMs)) {
    try {
      const { warnings } = await checkBroker(config)
      for (const warning of warnings) log.warn(warning)
      return warnings
    } catch (error) {
      if (!(error instanceof MemoryGuardError)) throw error
      if (error.code === 'BROKER_UNAVAILABLE') {
        // The connections of this process find the same, and their outage is logged once.
        log.debug({ reason: error.message }, 'broker unavailable at the start')
        return undefined
      }
      const isMigrating = error.cause instanceof SchemaMigrationRequiredError && performance.now() < end
      if (!isMigrating) throw error
    }
  }
}

const checkQueueTables = async (config: Config): Promise<BrokerFacts> => {
  const connection = new PostgresConnection({ ...queueConnection(config), max: 1 })
  connection.on('error', () => undefined)
  try {
    const isReady = connection.waitUntilReady().then(() => true)
    if (!(await withinTime(isReady, checkMs, false))) throw new Error(`no response within ${checkMs / 1000} s`)
    return { kind: 'postgresql', warnings: [] }
  } catch (cause) {
    if (cause instanceof SchemaMigrationRequiredError) {
      throw new MemoryGuardError(
        'CONFIG_INVALID',
        'BROKER_URL is not set, and the database has no tables for queues. Set BROKER_URL, or run `npx memoryguard migrate` without it.',
        { cause },
      )
    }
    if (cause instanceof SchemaVersionMismatchError) {
      throw new MemoryGuardError(
        'CONFIG_INVALID',
        'The tables for queues in the database were made by a newer version of MemoryGuard. Run that version or a newer one.',
        { cause },
      )
    }
    throw new MemoryGuardError('BROKER_UNAVAILABLE', `The queues in PostgreSQL do not respond (${reasonOf(cause)}).`, {
      cause,
      retryable: true,
    })
  } finally {
    void connection.close().catch(() => undefined)
  }
}
