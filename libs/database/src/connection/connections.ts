import { randomInt } from 'node:crypto'
import { MemoryGuardError, type Config } from '#libs/platform'
import pg from 'pg'
import { noteTarget } from './connection-failure.js'
import { ConnectionGuard } from './connection-guard.js'
import { connectionTargets, type ConnectionTarget } from './connection-target.js'
import { connectMs, findServer } from './find-server.js'
import { clientClass, sharedError, type ConnectionKind } from './session-client.js'

/** How long a connection is idle before it is probed, in milliseconds: a dead one is noticed in half a minute. */
const keepAliveMs = 10_000

const guards = new WeakMap<Config, ConnectionGuard>()

const guardOf = (config: Config): ConnectionGuard => {
  const { direct } = connectionTargets(config)
  const guard = guards.get(config) ?? new ConnectionGuard(direct, config.database.silenceSeconds * 1000)
  guards.set(config, guard)
  return guard
}

/**
 * Options for a pool or a client of PostgreSQL: the one way in which MemoryGuard connects. It waits for no dead
 * connection: when it is made, while it is idle, or when it owes a response.
 * @throws MemoryGuardError CONFIG_INVALID without a URL.
 */
export const connectionOptions = (config: Config, kind: ConnectionKind = {}) => {
  const { main, direct } = connectionTargets(config)
  const target = kind.isDirect ? direct : main
  return {
    Client: clientClass(target, guardOf(config), kind),
    connectionTimeoutMillis: connectMs(target.address),
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveMs,
  }
}

/** Whether the sessions of statements and transactions are shared with others; undefined before the first connection. */
export const isPoolShared = (config: Config): boolean | undefined => {
  const { pooling } = connectionTargets(config).main
  return pooling === undefined ? undefined : pooling === 'transaction'
}

/** Whether notifications arrive: only in a session of one's own. Known once that was asked. */
export const hasDirectSessions = async (config: Config): Promise<boolean> =>
  (await findServer(connectionTargets(config).direct)).pooling !== 'transaction'

/**
 * Rejects what cannot work: queues in a database that is only reached through a pooler in transaction mode, and a direct
 * URL that cannot be used or leads to another database.
 * @throws MemoryGuardError CONFIG_INVALID, or pg's error.
 */
export const assertConnectionsFit = async (config: Config): Promise<void> => {
  const { main, direct } = connectionTargets(config)
  const isDirect = await hasDirectSessions(config)
  if (!isDirect && direct.variable === 'DATABASE_DIRECT_URL') throw sharedError(direct)
  if (!isDirect && config.broker.url === undefined) {
    throw new MemoryGuardError(
      'CONFIG_INVALID',
      'DATABASE_URL leads to a pooler in transaction mode, and queues in PostgreSQL need sessions of their own: set ' +
        'DATABASE_DIRECT_URL to PostgreSQL itself, or BROKER_URL to a Redis.',
    )
  }
  if (direct !== main) await assertSameDatabase(config)
}

/**
 * Takes a lock over one connection and tries it over the other: locks belong to one database of one server, and every
 * role may take them, also through a pooler and on a standby.
 */
const assertSameDatabase = async (config: Config): Promise<void> => {
  const targets = connectionTargets(config)
  const [main, direct] = [connectOnce(config, false), connectOnce(config, true)]
  try {
    await Promise.all([main.connect(), direct.connect()])
    const key = randomInt(2 ** 47)
    await main.query('BEGIN')
    await main.query(`SELECT pg_advisory_xact_lock(${key})`)
    const [ofMain, ofDirect] = await Promise.all([
      main.query<DatabaseState>(databaseState),
      direct.query<DatabaseState & { isFree: boolean }>(
        `SELECT pg_try_advisory_lock(${key}) AS "isFree", state.* FROM (${databaseState}) AS state`,
      ),
    ])
    const [mainState, directState] = [ofMain.rows[0], ofDirect.rows[0]]
    if (!directState?.isFree) return
    // A standby stands beside the primary for the time of a failover.
    if (mainState?.isStandby !== directState.isStandby)
      throw standbyError(mainState?.isStandby ? targets.main : targets.direct)
    throw new MemoryGuardError(
      'CONFIG_INVALID',
      `DATABASE_DIRECT_URL leads to another database (${directState.name}) than DATABASE_URL (${mainState?.name}): both ` +
        'must lead to the same database of the same server.',
    )
  } finally {
    for (const client of [main, direct]) void client.end().catch(() => undefined)
  }
}

interface DatabaseState {
  readonly name: string
  readonly isStandby: boolean
}

const databaseState = 'SELECT current_database() AS name, pg_is_in_recovery() AS "isStandby"'

const standbyError = (target: ConnectionTarget): Error => {
  const error = Object.assign(new Error('the server is a standby'), { code: '25006' })
  noteTarget(error, target)
  return error
}

/** A connection whose errors are those of its calls alone. */
const connectOnce = (config: Config, isDirect: boolean): pg.Client => {
  const { Client, ...options } = connectionOptions(config, { isDirect })
  const client = new Client(options)
  client.on('error', () => undefined)
  return client
}
