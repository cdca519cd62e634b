import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import { findFreePort, isPortFree, MemoryGuardError } from '#libs/platform'
import { logFolder, openHome } from './home-folder.js'
import { LastWill } from './last-will.js'
import { openLogFile, readLastLines } from './log-file.js'
import { postgresEnvironment, postgresUser, prepareCluster, type PostgresCluster } from './postgres-cluster.js'
import { disarmStaleFile, findServer, findServerStatus, stopServer } from './postmaster-file.js'
import { acquireProcessLock, type ProcessLock } from './process-lock.js'

export interface EmbeddedPostgresOptions {
  /** MEMORYGUARD_HOME: created if missing, keeps data, password, port and log. */
  readonly home: string
  readonly log: (line: string) => void
  /** false (tests only): no fsync, so a power failure may lose the data. Default: true. */
  readonly durable?: boolean
  /** Where data and programs go if the server's account cannot enter `home`. Default: /var/lib/memoryguard. */
  readonly systemFolder?: string
}

/** A running server of our own. */
export interface EmbeddedPostgres {
  /** Connection URL of the database `memoryguard`, with the superuser's password. */
  readonly url: string
  readonly pid: number
  /** Resolves when the server has ended, by `stop` or by itself. */
  readonly exited: Promise<void>
  /** Ends the server properly (also one that has died meanwhile: then it only tidies up). */
  stop(): Promise<void>
}

const host = '127.0.0.1'
const database = 'memoryguard'
const defaultSystemFolder = '/var/lib/memoryguard'
const pollMs = 20

/** Generous: replaying the log after a crash takes as long as it takes; a server that gave up has exited by then. */
const readyMs = 300_000

/** How long processes of a killed server may take to notice that it is gone. */
const releaseMs = 20_000

/**
 * Starts the PostgreSQL that comes with MemoryGuard on a free port of 127.0.0.1, creating its cluster the first time.
 * A server left over from a killed run is stopped properly first.
 *
 * @throws {MemoryGuardError} DATABASE_UNAVAILABLE with what to do: `home` is in use, or the server cannot run.
 */
export const startEmbeddedPostgres = async (options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> => {
  const { log, durable = true, systemFolder = defaultSystemFolder } = options
  const home = openHome(options.home)
  const lock = acquireProcessLock(join(home, 'postgres.lock'))
  if ('heldBy' in lock) {
    throw new MemoryGuardError(
      'DATABASE_UNAVAILABLE',
      `MemoryGuard already runs on ${home} (process ${lock.heldBy}): stop that one, or choose another MEMORYGUARD_HOME.`,
    )
  }
  try {
    const cluster = prepareCluster({ home, systemFolder, isDurable: durable, log })
    await stopLeftover(cluster, log)
    return await serve(cluster, home, durable, lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

const serve = async (
  cluster: PostgresCluster,
  home: string,
  isDurable: boolean,
  lock: ProcessLock,
): Promise<EmbeddedPostgres> => {
  const server = await launch(cluster, home, isDurable)
  // An exit without stop() must leave no server behind; recovery at the next start keeps what was committed.
  const killServer = () => server.process.kill('SIGQUIT')
  process.once('exit', killServer)
  const will = new LastWill(server.pid, cluster.dataFolder, cluster.account)
  const exited = server.exited.then(() => {
    process.off('exit', killServer)
    return will.revoke()
  })
  const stop = async () => {
    await stopServer(cluster.dataFolder)
    await exited
    lock.release()
  }
  try {
    return { url: await openDatabase(cluster, server.port), pid: server.pid, exited, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

const stopLeftover = async ({ dataFolder }: PostgresCluster, log: (line: string) => void): Promise<void> => {
  const pid = findServer(dataFolder)
  if (pid === undefined) return
  log(`PostgreSQL of an earlier run still runs (process ${pid}): stopping it properly`)
  await stopServer(dataFolder)
}

interface RunningServer {
  readonly process: ChildProcess
  readonly pid: number
  readonly port: number
  readonly exited: Promise<void>
}

/** Starts the server and waits until it accepts connections, on the port of the last time if that is free. */
const launch = async (cluster: PostgresCluster, home: string, isDurable: boolean): Promise<RunningServer> => {
  const portFile = join(home, 'postgres-port')
  const lastPort = existsSync(portFile) ? Number(readFileSync(portFile, 'utf8')) : 0
  let port = lastPort > 0 && (await isPortFree(lastPort, host)) ? lastPort : await findFreePort(host)
  const deadline = Date.now() + releaseMs
  for (;;) {
    const attempt = await tryToLaunch(cluster, join(logFolder(home), 'postgres.log'), port, isDurable)
    if (!('failure' in attempt)) {
      writeFileSync(portFile, String(port), { mode: 0o600 })
      return attempt
    }
    const isPortTaken = attempt.failure.includes('could not bind')
    const isDataInUse = attempt.failure.includes('pre-existing shared memory block')
    if (!(isPortTaken || isDataInUse) || Date.now() > deadline) {
      throw new MemoryGuardError('DATABASE_UNAVAILABLE', `PostgreSQL did not start:\n${attempt.failure}`)
    }
    if (isPortTaken) port = await findFreePort(host)
    await wait(10 * pollMs)
  }
}

const tryToLaunch = async (
  { dataFolder, account, binaries }: PostgresCluster,
  logPath: string,
  port: number,
  isDurable: boolean,
): Promise<RunningServer | { failure: string }> => {
  disarmStaleFile(dataFolder)
  const logFile = openLogFile(logPath)
  const child = spawn(binaries.postgres, ['-D', dataFolder, ...serverSettings(port, isDurable)], {
    ...account,
    cwd: '/',
    env: postgresEnvironment,
    // A session of its own: Ctrl-C in the terminal must reach it last, by stop(), not at once.
    detached: true,
    stdio: ['ignore', logFile.descriptor, logFile.descriptor],
  })
  closeSync(logFile.descriptor)
  await once(child, 'spawn')
  const { pid } = child
  if (pid === undefined) throw new Error('a spawned process has a pid')
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const deadline = Date.now() + readyMs
  while (child.exitCode === null && child.signalCode === null) {
    const status = findServerStatus(dataFolder)
    if (status?.pid === pid && status.isReady) return { process: child, pid, port, exited }
    if (Date.now() > deadline) {
      child.kill('SIGQUIT')
      await exited
      break
    }
    await wait(pollMs)
  }
  return { failure: readLastLines(logFile) }
}

/** Settings for a small machine shared with the api and the workers. */
const serverSettings = (port: number, isDurable: boolean): string[] => {
  const settings = {
    listen_addresses: host,
    port,
    unix_socket_directories: '',
    // A worker on this broker holds about twenty.
    max_connections: 200,
    shared_buffers: '128MB',
    // Short statements only: compiling them costs more than it saves.
    jit: 'off',
    // No replica reads the log, so it holds what crash recovery needs and no more.
    wal_level: 'minimal',
    max_wal_senders: 0,
    wal_compression: 'on',
    max_wal_size: '1GB',
    checkpoint_timeout: '15min',
    // Before it recovers, the server flushes its files: with one call in 0.2 s, file by file in 4 s (measured).
    ...(process.platform === 'linux' ? { recovery_init_sync_method: 'syncfs' } : {}),
    log_timezone: 'UTC',
    timezone: 'UTC',
    ...(isDurable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** Creates the database if this is the first start, and returns its URL. */
const openDatabase = async ({ password }: PostgresCluster, port: number): Promise<string> => {
  const client = new pg.Client({
    host,
    port,
    user: postgresUser,
    password,
    database: 'postgres',
    ssl: false,
    options: '-c jit=off',
    sslnegotiation: 'postgres',
  })
  await client.connect()
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database])
    if (rowCount === 0) await client.query(`CREATE DATABASE ${database}`)
  } finally {
    await client.end()
  }
  // Settings of the shell for other servers (PGSSLMODE, PGOPTIONS) must not count for this one.
  const parameters = 'sslmode=disable&options=-c%20jit%3Doff'
  return `postgresql://${postgresUser}:${password}@${host}:${port}/${database}?${parameters}`
}
