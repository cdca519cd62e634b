import { randomBytes } from 'node:crypto'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { MemoryGuardError } from '#libs/platform'
import pg from 'pg'
import { noteTarget } from './connection-failure.js'
import type { ConnectionGuard, GuardedClient } from './connection-guard.js'
import type { ConnectionTarget } from './connection-target.js'
import { addStartupSettings, findServer, plainOptions } from './find-server.js'
import {
  directStartupSettings,
  openSession,
  startupSettings,
  type SessionFacts,
  type SessionSettings,
} from './session-settings.js'

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
  readonly connection: {
    ssl: TlsOptions | boolean
    on(event: 'errorMessage', listener: (error: { readonly code?: string }) => void): unknown
  }
}

/** SQLSTATE of a write where rows can only be read. */
const readOnlyState = '25006'

/** Distinguishes this process's connections from those of others behind the same pooler. */
const processMark = randomBytes(4).toString('hex')

/**
 * A connection that, before it is connected, knows whether a pooler is in between, and when it is, has a session with
 * all the settings that we depend on.
 */
class SessionClient extends pg.Client implements GuardedClient {
  serverPid: number | undefined
  isReadOnly = false
  readonly poolName: string

  constructor(
    options: pg.ClientConfig,
    private readonly target: ConnectionTarget,
    guard: ConnectionGuard,
    private readonly kind: ConnectionKind,
  ) {
    const { address, candidates, chosen } = target
    const applicationName = address.applicationName ?? kind.name ?? 'memoryguard'
    super({
      ...options,
      // Options of a library are among the session's settings.
      options: undefined,
      application_name: applicationName,
      ...plainOptions(target, chosen ?? candidates[0] ?? failNoCandidate()),
    })
    this.poolName = `${applicationName} ${processMark}`
    addStartupSettings(this, () => ({
      ...startupSettings,
      ...(target.pooling === 'none' && directStartupSettings(address.options)),
      ...(target.pooling === 'transaction' && { application_name: this.poolName }),
    }))
    this.parts.connection.on('errorMessage', ({ code }) => {
      if (code === readOnlyState) this.isReadOnly = true
    })
    guard.watch(this)
  }

  override connect(): Promise<pg.Client>
  override connect(callback: ((error: Error) => void) | ((error: null, client: pg.Client) => void)): void
  override connect(callback?: (error: never, client: pg.Client) => void): Promise<pg.Client> | void {
    const opening = this.open().then((): pg.Client => this)
    if (!callback) return opening
    // One function for both outcomes, as pg calls it; its types have one for each.
    const settle = callback as (error: Error | null, client?: pg.Client) => void
    opening.then((client) => settle(null, client), settle)
  }

  get isShared(): boolean {
    return this.target.pooling === 'transaction'
  }

  private get parts(): ClientParts {
    return this as unknown as ClientParts
  }

  private async open(): Promise<void> {
    const { target } = this
    // Whatever happens meanwhile is the outcome of this call.
    const ignore = () => undefined
    this.on('error', ignore)
    try {
      await this.reach()
      if (!this.isShared) await this.begin()
      else if (this.kind.isDirect) throw sharedError(target)
    } catch (error) {
      target.searchAnew()
      noteTarget(error, target)
      void this.end().catch(ignore)
      throw error
    }
    this.off('error', ignore)
  }

  private async reach(): Promise<void> {
    const { candidate } = await findServer(this.target)
    const { parts } = this
    if (candidate.host !== undefined) parts.host = candidate.host
    if (candidate.port !== undefined) parts.port = candidate.port
    if (candidate.ssl !== undefined) parts.ssl = parts.connection.ssl = candidate.ssl
    await super.connect()
  }

  private async begin(): Promise<void> {
    const { address, candidates } = this.target
    // Several statements have several results; pg types but one.
    const given: unknown = await this.query(openSession(this.kind.session ?? {}, address.options))
    const results = (Array.isArray(given) ? given : [given]) as pg.QueryResult<SessionFacts>[]
    const facts = results.at(-1)?.rows[0]
    this.serverPid = facts?.pid
    this.isReadOnly = facts?.isReadOnly ?? false
    if (this.isReadOnly && candidates.length > 1 && address.target !== 'any')
      throw Object.assign(new Error('the server cannot be written to any more'), { code: readOnlyState })
  }
}

/** The class of all connections of a kind, as a pool of pg makes them: from their options alone. */
export const clientClass = (target: ConnectionTarget, guard: ConnectionGuard, kind: ConnectionKind): typeof pg.Client =>
  class extends SessionClient {
    constructor(options: pg.ClientConfig = {}) {
      super(options, target, guard, kind)
    }
  }

const failNoCandidate = (): never => {
  throw new Error('A target has at least one candidate')
}

export const sharedError = ({ variable }: ConnectionTarget): MemoryGuardError =>
  new MemoryGuardError(
    'CONFIG_INVALID',
    `${variable} leads to a pooler in transaction mode, and this needs a session of its own: set DATABASE_DIRECT_URL to ` +
      'PostgreSQL itself.',
  )
