import { connectionOptions } from '#libs/database'
import type { Config, QueueName } from '#libs/platform'
import {
  createPostgresBackend,
  PostgresConnection,
  RedisConnection,
  setDefaultBackendFactory,
  type ConnectionOptions,
  type PostgresConnectionOptions,
  type QueueOptions,
} from 'bullmq'
import { keyPrefixOf } from '../broker-probe/index.js'
import { forgetFailedStart } from './postgres-start.js'
import { createBrokerClient, redisConnection, type BrokerSide } from './redis-client.js'

/** Schema of BullMQ's own tables when PostgreSQL is the broker. */
const queueSchema = 'memoryguard_queue'
/** Events of jobs that Redis keeps of each queue. Nobody reads them: the database has the history. */
const keptEvents = 100

/** How BullMQ connects to its tables in PostgreSQL. */
export const queueConnection = (config: Config, user: BrokerSide | 'migration' = 'migration') => ({
  ...connectionOptions(config, {
    isDirect: true,
    name: `memoryguard-${user}`,
    // The queue is transport: what a crash of the server takes from it, the reconciler puts back.
    session: { synchronous_commit: 'off', search_path: queueSchema },
  }),
  schema: queueSchema,
})

/**
 * Chooses BullMQ's backend for this process by its configuration: Redis or Valkey if there is a `BROKER_URL`, otherwise
 * the PostgreSQL of the data. BullMQ keeps this choice for the whole process; call it before the first queue is made.
 */
export const chooseBrokerBackend = ({ broker }: Config): void => {
  RedisConnection.clientFactory = createBrokerClient
  if (broker.url) setDefaultBackendFactory()
  else setDefaultBackendFactory(createQueueBackend)
}

/**
 * Returns BullMQ's options for a queue on the broker that the configuration names.
 * @throws {MemoryGuardError} CONFIG_INVALID when `BROKER_URL` cannot be used.
 */
export const brokerOptions = (config: Config, side: BrokerSide, queue: QueueName): QueueOptions => {
  const { url } = config.broker
  if (url) {
    return {
      connection: redisConnection(url, side),
      prefix: keyPrefixOf(queue),
      skipVersionCheck: true,
      streams: { events: { maxLen: keptEvents } },
    }
  }
  // BullMQ types every connection as Redis's, whichever backend is chosen.
  const connection: ConnectionOptions & ReturnType<typeof queueConnection> & { max: number } = {
    ...queueConnection(config, side),
    max: side === 'consumer' ? 4 : 2,
  }
  return { connection }
}

/** What a backend has of its own of BullMQ, whose types leave it out. */
interface BackendParts {
  readonly connection: {
    pgModule: object
    readonly listenClientConfig: { readonly Client: unknown }
  }
}

/** BullMQ makes its pool of our class of connections, but not its listener's. */
const createQueueBackend = (
  name: string,
  options: QueueOptions & { connection: PostgresConnectionOptions },
  more?: Parameters<typeof createPostgresBackend>[2],
) => {
  const backend = createPostgresBackend(name, options, more)
  forgetFailedStart(backend)
  const { connection } = backend as unknown as BackendParts
  connection.pgModule = { Client: connection.listenClientConfig.Client }
  return backend
}

/** Makes or updates BullMQ's tables if PostgreSQL is the broker; part of `memoryguard migrate`. */
export const migrateBroker = async (config: Config): Promise<void> => {
  if (config.broker.url || !config.database.url) return
  const connection = new PostgresConnection({
    ...queueConnection(config),
    migrate: true,
    max: 1,
  })
  try {
    await connection.waitUntilReady()
  } finally {
    await connection.close()
  }
}
