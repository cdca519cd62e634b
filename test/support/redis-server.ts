import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePort } from '#libs/platform'
import { waitFor } from './wait-for.js'

/** A Redis of this machine's package, on a free port and in a folder of its own. */
export interface RedisServer {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Ends it by SIGKILL, as a crash would. */
  kill(): Promise<void>
  /** Starts it again on the same port and data. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Whether `redis-server` is installed here. */
export const hasRedis = (): boolean => spawnSync('redis-server', ['--version']).status === 0

/**
 * Starts Redis with an append-only file that is synced every second, as it is run in production, and with `more`
 * arguments of its command line.
 */
export const startRedis = async (more: readonly string[] = []): Promise<RedisServer> => {
  const folder = mkdtempSync(join(tmpdir(), 'memoryguard-redis-'))
  const port = await findFreePort('127.0.0.1')
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--appendonly', 'yes']
  return startServer(port, folder, [...args, '--appendfsync', 'everysec', '--save', '', ...more])
}

/** Starts `redis-server` with these arguments, which have it listen on a port and keep its files in a folder. */
export const startServer = async (port: number, folder: string, args: readonly string[]): Promise<RedisServer> => {
  const launch = async () => {
    const server = spawn('redis-server', args, { stdio: 'ignore' })
    await waitFor(() => isResponding(port), { what: 'Redis to respond' })
    return server
  }
  let server = await launch()
  const end = async (signal: NodeJS.Signals) => {
    if (server.exitCode !== null || server.signalCode !== null) return
    const exited = once(server, 'exit')
    server.kill(signal)
    await exited
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid ?? 0
    },
    kill: () => end('SIGKILL'),
    restart: async () => {
      server = await launch()
    },
    stop: async () => {
      await end('SIGTERM')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const isResponding = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    socket.once('data', (data) => {
      socket.destroy()
      resolve(/^(\+PONG|-NOAUTH)/.test(data.toString()))
    })
    socket.once('error', () => resolve(false))
  })
