import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { findFreePort } from '#libs/platform'
import { listChildrenOf } from './process-list.js'
import { query } from './query.js'
import { waitFor } from './wait-for.js'

/** Settings of a server by name. */
export type ServerSettings = Readonly<Record<string, string | number>>

/** Settings that make a server of tests quick: what it stores need not survive the machine. */
export const quickSettings: ServerSettings = { fsync: 'off', full_page_writes: 'off' }

/** A server that a test has started on a data folder of its own. */
export class PostgresProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
    readonly port: number,
  ) {}

  /** Starts a server as the owner of its data, on a free port of 127.0.0.1, and waits until it accepts connections. */
  static async start(
    program: string,
    dataFolder: string,
    user: string,
    more: ServerSettings,
  ): Promise<PostgresProcess> {
    const port = await findFreePort('127.0.0.1')
    const settings: ServerSettings = {
      listen_addresses: '127.0.0.1',
      port,
      unix_socket_directories: '',
      jit: 'off',
      ...more,
    }
    const child = spawn(
      program,
      ['-D', dataFolder, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { ...ownerOf(dataFolder), cwd: '/', env: { LC_ALL: 'C' }, detached: true, stdio: 'ignore' },
    )
    const server = new PostgresProcess(child, `postgresql://${user}@127.0.0.1:${port}/memoryguard`, port)
    process.once('exit', () => child.kill('SIGQUIT'))
    const maintenance = server.url.replace(/memoryguard$/, 'postgres')
    await waitFor(() => query(maintenance, 'SELECT 1 AS one'), { what: 'PostgreSQL to accept connections' })
    return server
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** Ends it properly. */
  async stop(): Promise<void> {
    await this.end(() => this.child.kill('SIGINT'))
  }

  /** Ends it and all its processes at once. */
  async kill(): Promise<void> {
    await this.end(() => spawnSync('kill', ['-9', ...[this.pid, ...listChildrenOf(this.pid)].map(String)]))
  }

  private async end(signal: () => unknown): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const exited = once(this.child, 'exit')
    signal()
    await exited
  }
}

/** The account to run programs of PostgreSQL as, which reject root: that of a folder's owner. */
export const ownerOf = (folder: string): { readonly uid?: number; readonly gid?: number } => {
  const { uid, gid } = statSync(folder)
  return process.getuid?.() === uid ? {} : { uid, gid }
}
