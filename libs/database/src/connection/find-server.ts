import { MemoryGuardError } from '#libs/platform'
import pg from 'pg'
import { noteTarget } from './connection-failure.js'
import type { Candidate, ConnectionTarget, Pooling } from './connection-target.js'
import { directStartupSettings, findHostile, isServerReadOnly, type SessionSettings } from './session-settings.js'

/** Oldest server that has all that our statements use, as `server_version_num` gives it. */
const oldestVersion = 140_000
/** Longest time to connect to one server and to ask it, in milliseconds. */
const askMs = 5_000
/** A host that has not responded for this long does not keep the next one from being tried, in milliseconds. */
const patienceMs = 1_000
/** How often two connections through a pooler are compared: others that use it may hide once that servers are shared. */
const comparisons = 4

/** What `pg` needs to connect, with nothing of our own. */
export const plainOptions = ({ address }: ConnectionTarget, { host, port, ssl }: Candidate): pg.ClientConfig => ({
  ...(host !== undefined && { host }),
  ...(port !== undefined && { port }),
  ...(ssl !== undefined && { ssl }),
  ...(address.user && { user: address.user }),
  ...(address.password && { password: address.password }),
  ...(address.database && { database: address.database }),
  ...(address.options && { options: address.options }),
  ...(address.hosts.length > 0 && { sslnegotiation: 'postgres' }),
  connectionTimeoutMillis: connectMs(address),
})

/** How long a connection may take to be made, in milliseconds. */
export const connectMs = ({ connectSeconds }: ConnectionTarget['address']): number =>
  connectSeconds === undefined ? askMs : connectSeconds * 1000

interface Server {
  readonly candidate: Candidate
  readonly pooling: Pooling
}

const searches = new WeakMap<ConnectionTarget, Promise<Server>>()

/**
 * Finds the server that connections of a target go to, and whether a pooler stands before it; asked once for all
 * connections. @throws MemoryGuardError CONFIG_INVALID if we cannot work with it, or pg's error.
 */
export const findServer = async (target: ConnectionTarget): Promise<Server> => {
  if (target.chosen && target.pooling) return { candidate: target.chosen, pooling: target.pooling }
  const running = searches.get(target) ?? search(target)
  searches.set(target, running)
  try {
    const server = await running
    target.chosen = server.candidate
    target.pooling = server.pooling
    return server
  } catch (error) {
    noteTarget(error, target)
    throw error
  } finally {
    searches.delete(target)
  }
}

const search = async (target: ConnectionTarget): Promise<Server> => {
  const failures: unknown[] = []
  const found = await firstFit(hostsOf(target), (candidates) => tryCandidates(target, candidates, failures))
  if (found) return found
  // Of several failures the one of a server that responded says more than that another does not.
  throw failures.find((error) => !isUnreachable(error)) ?? failures[0] ?? readOnlyError()
}

/** The ways to each host, in the order of the hosts: one host may have several, with and without TLS. */
const hostsOf = ({ candidates }: ConnectionTarget): readonly (readonly Candidate[])[] => {
  const hosts = new Map<string, Candidate[]>()
  for (const candidate of candidates) {
    const name = `${candidate.host} ${candidate.port}`
    hosts.set(name, [...(hosts.get(name) ?? []), candidate])
  }
  return [...hosts.values()]
}

/**
 * Tries hosts in their order and returns the first server that fits; undefined if none does. The next host is tried when
 * one does not fit, and also while one is silent: a pool would give up before a dead host has timed out.
 */
const firstFit = <Host>(
  hosts: readonly Host[],
  attempt: (host: Host) => Promise<Server | undefined>,
): Promise<Server | undefined> =>
  new Promise((resolve, reject) => {
    let [started, ended] = [0, 0]
    const startNext = (): void => {
      const host = hosts[started]
      if (host === undefined) return
      started += 1
      const order = started
      const timer = setTimeout(startNext, patienceMs)
      const settle = (server: Server | undefined): void => {
        clearTimeout(timer)
        ended += 1
        if (server) resolve(server)
        else if (ended === hosts.length) resolve(undefined)
        // The timer has started the next one unless this was the last that was started.
        else if (order === started) startNext()
      }
      attempt(host).then(settle, reject)
    }
    startNext()
  })

/** Tries the ways to one host. What goes wrong is added to `failures`. */
const tryCandidates = async (
  target: ConnectionTarget,
  candidates: readonly Candidate[],
  failures: unknown[],
): Promise<Server | undefined> => {
  for (const candidate of candidates) {
    let client: pg.Client | undefined
    try {
      client = await connectToAsk(target, candidate)
      const isFit = await assertFit(client, target)
      if (isFit) return { candidate, pooling: await findPooling(client, target, candidate) }
    } catch (error) {
      failures.push(error)
    } finally {
      if (client) await endQuietly(client)
    }
  }
  return undefined
}

/** A pooler may refuse a setting that only PostgreSQL itself takes. */
const connectToAsk = async (target: ConnectionTarget, candidate: Candidate): Promise<pg.Client> => {
  const client = quietClient(plainOptions(target, candidate))
  addStartupSettings(client, () => directStartupSettings(target.address.options))
  try {
    await client.connect()
    return client
  } catch (error) {
    await endQuietly(client)
    if (!(error instanceof pg.DatabaseError && /startup parameter/.test(error.message))) throw error
  }
  const plain = quietClient(plainOptions(target, candidate))
  try {
    await plain.connect()
    return plain
  } catch (error) {
    await endQuietly(plain)
    throw error
  }
}

/** Has a client that is not yet connected begin with settings, which pg has no option for. */
export const addStartupSettings = (client: pg.Client, settings: () => SessionSettings): void => {
  const parts = client as unknown as { getStartupConf: () => SessionSettings }
  const before = parts.getStartupConf.bind(client)
  parts.getStartupConf = () => ({ ...before(), ...settings() })
}

const isUnreachable = (error: unknown): boolean => error instanceof Error && 'syscall' in error

const readOnlyError = (): Error => Object.assign(new Error('none of the hosts can be written to'), { code: '25006' })

/** A client whose errors are those of its calls alone. */
const quietClient = (options: pg.ClientConfig): pg.Client => {
  const client = new pg.Client({ ...options, query_timeout: askMs })
  client.on('error', () => undefined)
  return client
}

const endQuietly = (client: pg.Client): Promise<void> => client.end().catch(() => undefined)

/** Whether the server is one that the target wants. @throws MemoryGuardError if it is older than we can use. */
const assertFit = async (client: pg.Client, { address, candidates }: ConnectionTarget): Promise<boolean> => {
  const { rows } = await client.query<{ version: number; isStandby: boolean; isReadOnly: boolean }>(
    `SELECT current_setting('server_version_num')::int AS version, pg_is_in_recovery() AS "isStandby",
      ${isServerReadOnly} AS "isReadOnly"`,
  )
  const [facts] = rows
  if (!facts) return false
  if (facts.version < oldestVersion) {
    const found = Math.floor(facts.version / 10_000)
    throw new MemoryGuardError('CONFIG_INVALID', `PostgreSQL ${found} is too old: MemoryGuard needs 14 or newer.`)
  }
  if (candidates.length === 1 || address.target === 'any') return true
  return address.target === 'primary' ? !facts.isStandby : !facts.isReadOnly
}

const pidOf = async (client: pg.Client): Promise<number | undefined> =>
  (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid

/** A pooler is detected by its process id, which differs from that of the server. */
const findPooling = async (client: pg.Client, target: ConnectionTarget, candidate: Candidate): Promise<Pooling> => {
  const { processID } = client as unknown as { readonly processID: number }
  if ((await pidOf(client)) === processID) return 'none'
  const other = quietClient(plainOptions(target, candidate))
  try {
    await other.connect()
    for (let count = 0; count < comparisons; count += 1) {
      const before = await pidOf(client)
      if ((await pidInTransaction(other, target)) !== before && (await pidOf(client)) === before) continue
      await assertShareable(client, target)
      return 'transaction'
    }
    return 'session'
  } finally {
    await endQuietly(other)
  }
}

const pidInTransaction = async (client: pg.Client, { variable }: ConnectionTarget): Promise<number | undefined> => {
  try {
    await client.query('BEGIN')
  } catch (cause) {
    if (!(cause instanceof pg.DatabaseError) || cause.code?.startsWith('5')) throw cause
    const message = `The pooler that ${variable} leads to allows no transactions: set its pool_mode to session or transaction.`
    throw new MemoryGuardError('CONFIG_INVALID', message, { cause })
  }
  const pid = await pidOf(client)
  await client.query('COMMIT')
  return pid
}

/** In sessions that are shared we set nothing: they must be fit as they are. */
const assertShareable = async (client: pg.Client, { variable }: ConnectionTarget): Promise<void> => {
  const { rows } = await client.query<{ name: string; setting: string }>(findHostile)
  if (rows.length === 0) return
  const list = rows.map(({ name, setting }) => `${name} = '${setting}'`).join(', ')
  throw new MemoryGuardError(
    'CONFIG_INVALID',
    `The pooler that ${variable} leads to works in transaction mode, where MemoryGuard cannot change the role's ${list}: ` +
      'remove that with ALTER ROLE or ALTER DATABASE ... RESET, or let the pooler work in session mode.',
  )
}
