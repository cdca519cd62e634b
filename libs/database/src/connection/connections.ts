import { randomBytes, randomInt } from 'node:crypto'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { MemoryGuardError, type Config } from '#libs/platform'
import pg from 'pg'
import { ConnectionGuard, type GuardedClient } from './connection-guard.js'
import { noteTarget } from './connection-failure.js'
import { connectionTargets, type ConnectionTarget } from './connection-target.js'
import { addStartupSettings, connectMs, findServer, plainOptions } from './find-server.js'
import {
  directStartupSettings,
  openSession,
  startupSettings,
  type SessionFacts,
  type SessionSettings,
} from './session-settings.js'

/** How long a connection is idle before it is probed, in milliseconds: a dead one is noticed in half a minute. */
const keepAliveMs = 10_000

/** What connections of a kind have of their own. */
export interface ConnectionKind {
  /** Whether it needs a session that is nobody else's, as notifications and queues do. Default: false. */
  readonly isDirect?: boolean
  /** Settings beside those that all sessions have. */
  readonly session?: SessionSettings
  /** Shown in `pg_stat_activity`, unless the URL has a name. Default: memoryguard. */
  readonly name?: string
}

/** What of a client pg's types leave out. */
interface ClientParts {
  host: string | undefined
  port: number | undefined
  ssl: TlsOptions | boolean
  readonly connection: { ssl: TlsOptions | boolean }
}

/** Tells this process's connections from those of others behind the same pooler. */
const processMark = randomBytes(4).toString('hex')

/**
 * The class of all connections of a kind: before it is connected it knows whether a pooler is in between, and when it is,
 * its session has all the settings that we depend on.
 */
const makeClient = (target: ConnectionTarget, guard: ConnectionGuard, kind: ConnectionKind): typeof pg.Client => {
  const { address } = target
  const { isDirect = false, session = {}, name = 'memoryguard' } = kind
  const applicationName = address.applicationName ?? name
  return class SessionClient extends pg.Client implements GuardedClient {
    serverPid: number | undefined
    readonly poolName = `${applicationName} ${processMark}`

    constructor(options: pg.ClientConfig = {}) {
      super({
        ...options,
        // Options of a library are among the session's settings.
        options: undefined,
        application_name: applicationName,
        ...plainOptions(target, target.chosen ?? target.candidates[0] ?? failNoCandidate()),
      })
      addStartupSettings(this, () => ({
        ...startupSettings,
        ...(target.pooling === 'none' && directStartupSettings(address.options)),
        ...(target.pooling === 'transaction' && { application_name: this.poolName }),
      }))
      guard.watch(this)
    }

    override connect(): Promise<pg.Client>
    override connect(callback: ((error: Error) => void) | ((error: null, client: pg.Client) => void)): void
    override connect(callback?: (error: never, client: pg.Client) => void): Promise<pg.Client> | void {
      const opening = this.open().then((): pg.Client => this)
      if (!callback) return opening
      // One function for both outcomes, as pg calls it; its types have one for each.
      const answer = callback as (error: Error | null, client?: pg.Client) => void
      opening.then((client) => answer(null, client), answer)
    }

    get isShared(): boolean {
      return target.pooling === 'transaction'
    }

    private get parts(): ClientParts {
      return this as unknown as ClientParts
    }

    private async open(): Promise<void> {
      // Whatever happens meanwhile is the outcome of this call.
      const hear = () => undefined
      this.on('error', hear)
      try {
        await this.reach()
        if (!this.isShared) await this.begin()
        else if (isDirect) throw sharedError(target)
      } catch (error) {
        target.lookAnew()
        noteTarget(error, target)
        void this.end().catch(hear)
        throw error
      }
      this.off('error', hear)
    }

    private async reach(): Promise<void> {
      const { candidate } = await findServer(target)
      const { parts } = this
      if (candidate.host !== undefined) parts.host = candidate.host
      if (candidate.port !== undefined) parts.port = candidate.port
      if (candidate.ssl !== undefined) parts.ssl = parts.connection.ssl = candidate.ssl
      await super.connect()
    }

    private async begin(): Promise<void> {
      // Several statements have several results; pg types but one.
      const answer: unknown = await this.query(openSession(session, address.options))
      const results = (Array.isArray(answer) ? answer : [answer]) as pg.QueryResult<SessionFacts>[]
      const facts = results.at(-1)?.rows[0]
      this.serverPid = facts?.pid
      if (facts?.isReadOnly && target.candidates.length > 1 && address.target !== 'any')
        throw Object.assign(new Error('the server cannot be written to any more'), { code: '25006' })
    }
  }
}

const failNoCandidate = (): never => {
  throw new Error('A target has at least one candidate')
}

const sharedError = ({ variable }: ConnectionTarget): MemoryGuardError =>
  new MemoryGuardError(
    'CONFIG_INVALID',
    `${variable} leads to a pooler in transaction mode, and this needs a session of its own: set DATABASE_DIRECT_URL to ` +
      'PostgreSQL itself.',
  )

const guards = new WeakMap<Config, ConnectionGuard>()

const guardOf = (config: Config): ConnectionGuard => {
  const { direct } = connectionTargets(config)
  const guard = guards.get(config) ?? new ConnectionGuard(direct, config.database.silenceSeconds * 1000)
  guards.set(config, guard)
  return guard
}

/**
 * Options for a pool or a client of PostgreSQL: the one way in which MemoryGuard connects. It waits for no dead
 * connection: when it is made, while it is idle, or when it owes an answer.
 * @throws MemoryGuardError CONFIG_INVALID without a URL.
 */
export const connectionOptions = (config: Config, kind: ConnectionKind = {}) => {
  const { main, direct } = connectionTargets(config)
  const target = kind.isDirect ? direct : main
  return {
    Client: makeClient(target, guardOf(config), kind),
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
