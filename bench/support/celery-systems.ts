import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { cpuSecondsOf } from './cpu-time.js'
import { celeryUrls, type CeleryUrls } from '../../test/support/celery-programs.js'
import { startRedis } from '../../test/support/redis-server.js'
import { startStack } from '../../test/support/stack.js'
import { makePostgresHome, startPostgres } from '../../test/support/stack-postgres.js'
import { waitFor } from '../../test/support/wait-for.js'

/** The Python programs of the bench, which are not built. */
export const celeryFolder = fileURLToPath(new URL('../../../bench/celery', import.meta.url))

/** One worker with a Redis of its own, and what else it needs. */
export interface CelerySystem {
  readonly name: string
  readonly urls: CeleryUrls
  /** CPU seconds that the worker and its database have used. */
  readCpu(): number
  stop(): Promise<void>
}

/** Processes or threads that compute, as the replaced system has them. */
const concurrency = 2

export const startGatewayWorker = async (): Promise<CelerySystem> => {
  const redis = await startRedis()
  const urls = celeryUrls(redis.url)
  const stack = await startStack({
    broker: 'postgres',
    durable: true,
    logs: 'inherit',
    env: { ...urls, WORKER_CONCURRENCY: String(concurrency) },
  })
  return {
    name: 'memoryguard',
    urls,
    readCpu: () => cpuSecondsOf(stack.workers[0]?.pid ?? 0) + cpuSecondsOf(stack.postgresPid),
    stop: async () => {
      await stack.stop()
      await redis.stop()
    },
  }
}

/** A Celery worker that does nothing, as fast as Celery can be. */
export const startIdleCelery = async (python: string): Promise<CelerySystem> => {
  const redis = await startRedis()
  const urls = celeryUrls(redis.url)
  const quiet = ['--without-gossip', '--without-mingle', '--without-heartbeat']
  const worker = await startWorker(python, ['-A', 'nothing', 'worker', ...quiet], { ...urls })
  return {
    name: 'celery, nothing',
    urls,
    readCpu: () => cpuSecondsOf(worker.pid),
    stop: async () => {
      await worker.stop()
      await redis.stop()
    },
  }
}

/** A Celery worker that does what the replaced system did, for `rows` predictions. */
export const startReplacedSystem = async (python: string, rows: number): Promise<CelerySystem> => {
  const redis = await startRedis()
  const urls = celeryUrls(redis.url)
  const postgres = await startPostgres(makePostgresHome(), true)
  const env = { ...urls, DATABASE_URL: postgres.url.replace('postgresql:', 'postgresql+psycopg2:') }
  const [code] = await once(launch(python, ['replaced.py', String(rows)], env), 'exit')
  if (code !== 0) throw new Error(`The table of the replaced system was not made: ${code}`)
  const worker = await startWorker(python, ['-A', 'replaced', 'worker'], env)
  return {
    name: 'celery, replaced system',
    urls,
    readCpu: () => cpuSecondsOf(worker.pid) + cpuSecondsOf(postgres.pid),
    stop: async () => {
      await worker.stop()
      await postgres.stop()
      await redis.stop()
    },
  }
}

/** Starts a program of the bench; each library computes in one thread, as children on few cores should. */
export const launch = (
  python: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  errors: 'inherit' | 'ignore' = 'inherit',
) => {
  const settings = { PYTHONDONTWRITEBYTECODE: '1', PYTHONWARNINGS: 'ignore', OMP_NUM_THREADS: '1' }
  const child = spawn(python, args, {
    cwd: celeryFolder,
    env: { PATH: process.env['PATH'], ...settings, ...env },
    stdio: ['ignore', 'pipe', errors],
  })
  if (!child.stdout) throw new Error('The program has no output')
  return Object.assign(child, { stdout: child.stdout })
}

const startWorker = async (python: string, args: readonly string[], env: Readonly<Record<string, string>>) => {
  const options = ['-c', String(concurrency), '--loglevel=error', '-n', 'bench@%h']
  const child = launch(python, ['-m', 'celery', ...args, ...options], env)
  // The banner.
  child.stdout.resume()
  const ping = ['-m', 'celery', '-b', env['CELERY_BROKER_URL'] ?? '', 'inspect', 'ping']
  const isReady = async () => {
    if (child.exitCode !== null) throw new Error(`The Celery worker ended with ${child.exitCode}`)
    const [code] = await once(
      launch(python, ping, env).on('error', () => undefined),
      'exit',
    )
    return code === 0
  }
  await waitFor(isReady, { what: 'the Celery worker', timeoutMs: 60_000 })
  const stop = async () => {
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    await exited
  }
  return { pid: child.pid ?? 0, stop }
}
