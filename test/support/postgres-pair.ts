import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { prepareBinaries, startEmbeddedPostgres } from '#libs/embedded-postgres'
import { findFreePort } from '#libs/platform'
import { listChildrenOf } from './process-list.js'
import { query, queryNumber } from './query.js'
import {
  copyPostgres,
  deletePostgres,
  findTemplate,
  makePostgresHome,
  type RestartablePostgres,
} from './stack-postgres.js'
import { waitFor } from './wait-for.js'

/**
 * A primary and its streaming standby. `url` names both, `pid` is the primary's, `kill` ends the primary with all its
 * processes, and `restart` promotes the standby.
 */
export interface PostgresPair extends RestartablePostgres {
  readonly primary: PairServer
  readonly standby: PairServer
}

/** One server of a pair. */
export interface PairServer {
  readonly url: string
  readonly port: number
  readonly pid: number
}

export interface PairOptions {
  /** Copies the migrated database of stacks with this broker, where Vitest's set-up has made one. */
  readonly broker: string
  /** Whether a commit waits until the standby has it. */
  readonly isSynchronous: boolean
  /** With fsync, as in production. Default: false. */
  readonly durable?: boolean
}

const user = 'memoryguard'

type Settings = Readonly<Record<string, string | number>>

/** What a server needs to stream to a standby, and a standby to become one that does. */
const replication: Settings = { wal_level: 'replica', max_wal_senders: 4, hot_standby: 'on', max_connections: 200 }

/** Starts a pair on free ports of 127.0.0.1, on new folders that `stop` deletes. */
export const startPostgresPair = async (options: PairOptions): Promise<PostgresPair> => {
  const [home, standbyHome] = [makePostgresHome(), makePostgresHome()]
  const template = findTemplate(options.broker)
  if (template !== undefined) copyPostgres(template, home)
  else await (await startEmbeddedPostgres({ home, durable: false, log: () => undefined })).stop()
  const common: Settings = {
    ...replication,
    ...(options.durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
  }
  // A standby does not start on a log that was written without what it needs: one start as a primary ends that.
  await end(await launch(home, common))
  copyPostgres(home, standbyHome)
  const primary = await launch(home, { ...common, ...(options.isSynchronous && { synchronous_standby_names: '*' }) })
  const password = readFileSync(join(home, 'postgres-password'), 'utf8')
  markStandby(standbyHome)
  const standby = await launch(standbyHome, {
    ...common,
    primary_conninfo: `host=127.0.0.1 port=${primary.port} user=${user} password=${password}`,
  })
  await waitFor(
    () => queryNumber(primary.url, `SELECT count(*)::int AS number FROM pg_stat_replication WHERE state = 'streaming'`),
    { what: 'the standby to stream' },
  )
  return {
    url: primary.url.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${primary.port},127.0.0.1:${standby.port}`),
    pid: primary.pid,
    primary,
    standby,
    kill: () => killAll(primary),
    restart: async () => void (await query(standby.url, 'SELECT pg_promote(true)')),
    stop: async () => {
      await Promise.all([end(primary), end(standby)])
      for (const each of [home, standbyHome]) deletePostgres(each)
    },
  }
}

const markStandby = (home: string): void => {
  const data = realpathSync(join(home, 'postgres'))
  const path = join(data, 'standby.signal')
  writeFileSync(path, '')
  const { uid, gid } = statSync(data)
  chownSync(path, uid, gid)
}

type LaunchedServer = PairServer & { readonly process: ChildProcess }

const launch = async (home: string, settings: Settings): Promise<LaunchedServer> => {
  const data = realpathSync(join(home, 'postgres'))
  const { uid, gid } = statSync(data)
  const account = process.getuid?.() === uid ? {} : { uid, gid }
  const { postgres } = prepareBinaries(account, '/var/lib/memoryguard', () => undefined)
  const port = await findFreePort('127.0.0.1')
  const all: Settings = { listen_addresses: '127.0.0.1', port, unix_socket_directories: '', jit: 'off', ...settings }
  const args = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const server = spawn(postgres, ['-D', data, ...args], {
    ...account,
    cwd: '/',
    env: { LC_ALL: 'C' },
    detached: true,
    stdio: 'ignore',
  })
  process.once('exit', () => server.kill('SIGQUIT'))
  const password = readFileSync(join(home, 'postgres-password'), 'utf8')
  const url = `postgresql://${user}:${password}@127.0.0.1:${port}/memoryguard`
  await waitFor(() => query(url, 'SELECT 1 AS one'), { what: 'PostgreSQL to accept connections' })
  return { url, port, pid: server.pid ?? 0, process: server }
}

const hasEnded = ({ process: { exitCode, signalCode } }: LaunchedServer): boolean =>
  exitCode !== null || signalCode !== null

const end = async (server: LaunchedServer): Promise<void> => {
  if (hasEnded(server)) return
  const exited = once(server.process, 'exit')
  server.process.kill('SIGINT')
  await exited
}

const killAll = async (server: LaunchedServer): Promise<void> => {
  const exited = once(server.process, 'exit')
  spawnSync('kill', ['-9', ...[server.pid, ...listChildrenOf(server.pid)].map(String)])
  await exited
}
