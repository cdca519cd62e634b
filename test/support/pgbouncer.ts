import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePort } from '#libs/platform'
import { query } from './query.js'
import { waitFor } from './wait-for.js'

/** The PgBouncers that `.ci/install-pgbouncer` installs. */
const pgbouncers = { debian: '/usr/sbin/pgbouncer', new: '/opt/pgbouncer-new/bin/pgbouncer' } as const

export type PoolerVersion = keyof typeof pgbouncers
export type PoolMode = 'session' | 'transaction' | 'statement'

export interface PgBouncer {
  /** The same database as the server's URL, through the pooler. */
  readonly url: string
  stop(): Promise<void>
}

/** Starts a PgBouncer before a server, with its own defaults but for what is needed to connect. */
export const startPgBouncer = async (version: PoolerVersion, mode: PoolMode, server: string): Promise<PgBouncer> => {
  const folder = mkdtempSync(join(tmpdir(), 'memoryguard-pgbouncer-'))
  chmodSync(folder, 0o755)
  const port = await findFreePort('127.0.0.1')
  const url = new URL(server)
  const userList = join(folder, 'users.txt')
  writeFileSync(userList, `"${url.username}" "${url.password}"\n`, { mode: 0o644 })
  const config = join(folder, 'pgbouncer.ini')
  writeFileSync(
    config,
    `[databases]
* = host=${url.hostname} port=${url.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = plain
auth_file = ${userList}
pool_mode = ${mode}
default_pool_size = ${mode === 'session' ? 60 : 8}
max_client_conn = 300
`,
    { mode: 0o644 },
  )
  const account = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const child = spawn(pgbouncers[version], [...account, config], { stdio: 'ignore' })
  url.port = String(port)
  url.search = ''
  await waitFor(() => query(url.href, 'SELECT 1'), { what: 'PgBouncer to respond' })
  return {
    url: url.href,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit')
        child.kill('SIGKILL')
        await exited
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
