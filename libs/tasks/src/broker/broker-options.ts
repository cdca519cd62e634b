import { guardedConnections } from '#libs/database'
import type { Config } from '#libs/platform'
import {
  createPostgresBackend,
  PostgresConnection,
  setDefaultBackendFactory,
  type ConnectionOptions,
  type QueueOptions,
} from 'bullmq'

/** Schema of BullMQ's own tables when PostgreSQL is the broker. */
const queueSchema = 'memoryguard_queue'
/** Prefix of every Redis key; the braces keep all keys in one slot of a Redis Cluster. */
const keyPrefix = '{memoryguard}'

/** Who connects: a producer must fail fast when the broker is down, a consumer waits for it. */
export type BrokerSide = 'producer' | 'consumer'

/**
 * BullMQ's options for the broker that the configuration names, and the choice of BullMQ's backend for this process:
 * Redis or Valkey by `BROKER_URL`, otherwise the same PostgreSQL as the data.
 */
export const brokerOptions = (config: Config, side: BrokerSide): QueueOptions => {
  const { url } = config.broker
  if (url) {
    setDefaultBackendFactory()
    const options = {
      url,
      enableOfflineQueue: side === 'consumer',
      maxRetriesPerRequest: side === 'consumer' ? null : 1,
      retryStrategy: (times: number) => Math.min(100 * times, 2_000),
    }
    return { connection: options, prefix: keyPrefix, skipVersionCheck: true }
  }
  setDefaultBackendFactory(createPostgresBackend)
  // BullMQ types every connection as Redis's, whichever backend is chosen.
  const connection: ConnectionOptions & { connectionString: string | undefined; schema: string; max: number } = {
    ...guardedConnections(config),
    connectionString: config.database.url,
    schema: queueSchema,
    max: side === 'consumer' ? 4 : 2,
    application_name: `memoryguard-${side}`,
    // The queue is transport: what a crash of the server takes from it, the reconciler puts back.
    options: '-c synchronous_commit=off',
  }
  return { connection }
}

/** Makes or updates BullMQ's tables if PostgreSQL is the broker; part of `memoryguard migrate`. */
export const migrateBroker = async (config: Config): Promise<void> => {
  if (config.broker.url || !config.database.url) return
  const connection = new PostgresConnection({
    connectionString: config.database.url,
    schema: queueSchema,
    migrate: true,
    max: 1,
  })
  try {
    await connection.waitUntilReady()
  } finally {
    await connection.close()
  }
}
