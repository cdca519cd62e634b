import { spawnSync, type SpawnSyncOptions } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ownerOf, PostgresProcess, quickSettings } from './postgres-process.js'
import { query } from './query.js'
import type { RestartablePostgres } from './stack-postgres.js'

/** Where Debian installs PostgreSQL, a folder for each version. */
const versions = '/usr/lib/postgresql'
/** The account of the server where tests run as root: `nobody`, which owns nothing else. */
const nobody = 65_534

/** The programs of the newest PostgreSQL that the system has; undefined if it has none. */
const findPrograms = (): string | undefined => {
  if (!existsSync(versions)) return undefined
  const folders = readdirSync(versions).map((version) => join(versions, version, 'bin'))
  return folders.filter((folder) => ['postgres', 'pg_dump'].every((name) => existsSync(join(folder, name)))).at(-1)
}

/** Whether the system has a server with the tools for its dumps, which the embedded one comes without. */
export const hasPostgresTools = (): boolean => findPrograms() !== undefined

const runProgram = (program: string, args: readonly string[], options: SpawnSyncOptions): void => {
  const { status, stderr, error } = spawnSync(program, args, { ...options, encoding: 'utf8' })
  if (status !== 0) throw error ?? new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr}`)
}

/** A server of the system with an empty database `memoryguard`, and the tools for its dumps. */
export interface ServerWithTools extends RestartablePostgres {
  readonly isMigrated: false
  /** Runs a line of a shell with the tools on its path, and throws if it fails. */
  run(line: string, cwd: string, env: Readonly<Record<string, string>>): void
}

/** Starts the server on a new folder that `stop` deletes. */
export const startServerWithTools = async (): Promise<ServerWithTools> => {
  const programs = findPrograms()
  if (programs === undefined) throw new Error(`There is no PostgreSQL in ${versions}`)
  const folder = mkdtempSync(join(tmpdir(), 'memoryguard-postgres-'))
  if (process.getuid?.() === 0) chownSync(folder, nobody, nobody)
  const cluster = [
    '--pgdata',
    folder,
    '--username',
    'memoryguard',
    '--auth',
    'trust',
    '--encoding',
    'UTF8',
    '--no-sync',
  ]
  runProgram(join(programs, 'initdb'), cluster, { ...ownerOf(folder), cwd: '/', env: { LC_ALL: 'C' } })
  const settings = { ...quickSettings, max_connections: 200 }
  let server = await PostgresProcess.start(join(programs, 'postgres'), folder, 'memoryguard', settings)
  await query(server.url.replace(/memoryguard$/, 'postgres'), 'CREATE DATABASE memoryguard')
  return {
    url: server.url,
    get pid() {
      return server.pid
    },
    isMigrated: false,
    run: (line, cwd, env) =>
      runProgram('/bin/sh', ['-c', line], { cwd, env: { ...env, PATH: `${programs}:${process.env['PATH']}` } }),
    kill: () => server.kill(),
    restart: async () => {
      server = await PostgresProcess.start(join(programs, 'postgres'), folder, 'memoryguard', {
        ...settings,
        port: server.port,
      })
    },
    stop: async () => {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
