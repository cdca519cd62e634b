import { chownSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { prepareBinaries, startEmbeddedPostgres } from '#libs/embedded-postgres'
import { ownerOf, PostgresProcess, quickSettings, type ServerSettings } from './postgres-process.js'
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
  readonly primary: PostgresProcess
  readonly standby: PostgresProcess
  readonly isMigrated: boolean
}

export interface PairOptions {
  /** Copies the migrated database of stacks with this broker, where Vitest's set-up has made one. */
  readonly broker: string
  /** Whether a commit waits until the standby has it. */
  readonly isSynchronous: boolean
  /** With fsync, as in production. Default: false. */
  readonly durable?: boolean
}

/** What a server needs to stream to a standby, and a standby to become one that does. */
const replication: ServerSettings = {
  wal_level: 'replica',
  max_wal_senders: 4,
  hot_standby: 'on',
  max_connections: 200,
}

/** Starts a pair on free ports of 127.0.0.1, on new folders that `stop` deletes. */
export const startPostgresPair = async (options: PairOptions): Promise<PostgresPair> => {
  const [home, standbyHome] = [makePostgresHome(), makePostgresHome()]
  const template = findTemplate(options.broker)
  if (template !== undefined) copyPostgres(template, home)
  else await (await startEmbeddedPostgres({ home, durable: false, log: () => undefined })).stop()
  const settings = { ...replication, ...(!options.durable && quickSettings) }
  // A standby does not start on a log that was written without what it needs: one start as a primary ends that.
  await (await launch(home, settings)).stop()
  copyPostgres(home, standbyHome)
  const primary = await launch(home, { ...settings, ...(options.isSynchronous && { synchronous_standby_names: '*' }) })
  markStandby(standbyHome)
  const { username, password } = new URL(primary.url)
  const source = `host=127.0.0.1 port=${primary.port} user=${username} password=${password}`
  const standby = await launch(standbyHome, { ...settings, primary_conninfo: source })
  await waitFor(
    () => queryNumber(primary.url, `SELECT count(*)::int AS number FROM pg_stat_replication WHERE state = 'streaming'`),
    { what: 'the standby to stream' },
  )
  return {
    url: primary.url.replace(`:${primary.port}`, `:${primary.port},127.0.0.1:${standby.port}`),
    pid: primary.pid,
    primary,
    standby,
    isMigrated: template !== undefined,
    kill: () => primary.kill(),
    restart: async () => void (await query(standby.url, 'SELECT pg_promote(true)')),
    stop: async () => {
      await Promise.all([primary.stop(), standby.stop()])
      for (const each of [home, standbyHome]) deletePostgres(each)
    },
  }
}

const dataOf = (home: string): string => realpathSync(join(home, 'postgres'))

const markStandby = (home: string): void => {
  const data = dataOf(home)
  const path = join(data, 'standby.signal')
  writeFileSync(path, '')
  const { uid, gid } = statSync(data)
  chownSync(path, uid, gid)
}

const launch = (home: string, settings: ServerSettings): Promise<PostgresProcess> => {
  const data = dataOf(home)
  const { postgres } = prepareBinaries(ownerOf(data), '/var/lib/memoryguard', () => undefined)
  const password = readFileSync(join(home, 'postgres-password'), 'utf8')
  return PostgresProcess.start(postgres, data, `memoryguard:${password}`, settings)
}
