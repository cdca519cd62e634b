import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync } from 'node:fs'
import { celeryFolder } from './celery-environment.js'
import { addForecastModel } from './models-folder.js'
import { startRedis } from './redis-server.js'
import { startStack, type Stack } from './stack.js'
import { waitFor } from './wait-for.js'

/** Where the clients and workers of one run meet. */
export interface CeleryUrls {
  readonly CELERY_BROKER_URL: string
  readonly CELERY_RESULT_BACKEND: string
}

/** Databases 1 and 2 of a Redis, as the replaced system has them. */
export const celeryUrls = (redisUrl: string): CeleryUrls => ({
  CELERY_BROKER_URL: `${redisUrl}/1`,
  CELERY_RESULT_BACKEND: `${redisUrl}/2`,
})

/** Settings of both kinds of worker: a failed call is soon tried again, and local time is not UTC. */
export const workerSettings = { TASK_RETRY_DELAY_SECONDS: '1', TZ: 'America/New_York' } as const

export interface PythonOutput {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface CeleryWorker {
  readonly name: string
  stop(): Promise<void>
}

export interface CeleryGateway extends CeleryWorker {
  readonly urls: CeleryUrls
  readonly stack: Stack
}

const launch = (
  python: string,
  args: readonly string[],
  urls: CeleryUrls,
  settings: Readonly<Record<string, string>> = {},
): ChildProcess =>
  spawn(python, args, {
    cwd: celeryFolder,
    env: { PATH: process.env['PATH'], PYTHONDONTWRITEBYTECODE: '1', ...settings, ...urls },
    stdio: ['ignore', 'pipe', 'pipe'],
  })

const collect = (child: ChildProcess) => {
  const output = { out: '', err: '' }
  child.stdout?.on('data', (data: Buffer) => (output.out += data.toString()))
  child.stderr?.on('data', (data: Buffer) => (output.err += data.toString()))
  return output
}

/** Runs a program of the clients to its end. */
export const runPython = async (python: string, args: readonly string[], urls: CeleryUrls): Promise<PythonOutput> => {
  const child = launch(python, args, urls)
  const output = collect(child)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...output }
}

const queues = 'celery,predictions,batch,explanations,forecasts'

/**
 * Starts a Celery worker of the replaced system. It has more processes than any case has calls that run at a time;
 * `more` arguments of its command line come after those.
 */
export const startCeleryWorker = async (
  python: string,
  urls: CeleryUrls,
  more: readonly string[] = [],
): Promise<CeleryWorker> => {
  const name = 'worker1@test'
  const options = ['-Q', queues, '-n', name, '-c', '8', '--loglevel=info', ...more]
  const args = ['-m', 'celery', '-A', 'celery_worker', 'worker', ...options]
  const child = launch(python, args, urls, workerSettings)
  const output = collect(child)
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  const stop = async () => {
    if (hasEnded()) return
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    await exited
  }
  try {
    await waitFor(
      () => {
        if (hasEnded()) throw new Error(output.err)
        return / ready\.$/m.test(output.err)
      },
      { what: 'the Celery worker' },
    )
  } catch (error) {
    await stop()
    throw error
  }
  return { name, stop }
}

/** Starts a worker of the product that serves Celery callers in a Redis of its own, with everything that it needs. */
export const startGateway = async (): Promise<CeleryGateway> => {
  const redis = await startRedis()
  const urls = celeryUrls(redis.url)
  const addModels = (folder: string) => {
    cpSync(`${celeryFolder}/../fixtures/celery/paced`, `${folder}/paced`, { recursive: true })
    addForecastModel(folder)
  }
  try {
    const stack = await startStack({
      broker: 'postgres',
      testModels: addModels,
      // As many calls at a time as the Celery worker.
      env: { ...urls, ...workerSettings, DEFAULT_MODEL: 'paced', WORKER_CONCURRENCY: '8' },
    })
    const stop = async () => {
      await stack.stop()
      await redis.stop()
    }
    return { name: 'worker1@test', urls, stack, stop }
  } catch (error) {
    await redis.stop()
    throw error
  }
}

/** One case of the client as a worker has it. */
export interface CaseLine {
  readonly case: string
  readonly outcome: unknown
  /** What a gateway shows instead of what Celery shows, and why. */
  readonly gateway?: unknown
  readonly why?: string
}

/** Runs cases of the client against a worker; without names, all that need nothing from outside. */
export const runCases = async (
  python: string,
  urls: CeleryUrls,
  worker: string,
  names: readonly string[] = [],
): Promise<readonly CaseLine[]> => {
  const { out, err } = await runPython(python, ['client.py', '--worker', worker, ...names], urls)
  const lines = out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as CaseLine)
  if (lines.length === 0) throw new Error(`The client has printed nothing: ${err}`)
  return lines
}
