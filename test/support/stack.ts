import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findFreePort, serverFlags } from '#libs/platform'
import { startEmbeddedPostgres } from '#libs/embedded-postgres'
import { listProcessesOf } from './process-list.js'
import { startRedis, type RedisServer } from './redis-server.js'
import { waitFor } from './wait-for.js'

/** The repository's folder, from the source of this file or from its build. */
const repository = fileURLToPath(import.meta.url).replace(/(\/dist)?\/test\/support\/stack\.[jt]s$/, '')

export type BrokerKind = 'redis' | 'postgres'

export interface StackOptions {
  readonly broker: BrokerKind
  /** More arguments of the Redis server's command line. */
  readonly redisArgs?: readonly string[]
  /** Number of worker processes. Default 1. */
  readonly workers?: number
  readonly env?: Readonly<Record<string, string>>
  /** Database with fsync, as in production. Default false. */
  readonly durable?: boolean
  /** Folder of the built product. Default: the repository. */
  readonly root?: string
  /** Where the processes' logs go: `keep` for `readLogs()`. Default: nowhere. */
  readonly logs?: 'inherit' | 'ignore' | 'keep'
}

/** One process of the built product. */
export interface Program {
  readonly name: string
  readonly pid: number
  readonly isRunning: boolean
  readonly exited: Promise<number | null>
  /** Sends a signal and waits for the end. */
  kill(signal?: NodeJS.Signals): Promise<number | null>
  /** Sends a signal. */
  signal(signal: NodeJS.Signals): void
}

/** The built product, running: PostgreSQL, broker, api and workers as processes of their own. */
export interface Stack {
  readonly url: string
  readonly key: string
  readonly databaseUrl: string
  readonly postgresPid: number
  readonly postgres: RestartablePostgres
  readonly redis: RedisServer | undefined
  api: Program
  readonly workers: WorkerProgram[]
  /** Environment of api and workers. */
  readonly env: NodeJS.ProcessEnv
  /** Runs a command of the program. */
  run(name: string, more?: Readonly<Record<string, string>>): Program
  startApi(): Promise<Program>
  /** Starts a worker; resolves when it is ready. */
  startWorker(env?: Readonly<Record<string, string>>): Promise<WorkerProgram>
  request(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>
  /** Everything the processes have printed, with `logs: 'keep'`. */
  readLogs(): string
  /** Pids of every living process of api and workers, their compute children among them. */
  listProcesses(): readonly number[]
  stop(): Promise<void>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** The parsed body; empty if it is not JSON. */
  readonly body: Record<string, unknown>
  readonly text: string
}

/** A worker with the address of its probes. */
export type WorkerProgram = Program & { readonly healthUrl: string }

/** Longest time that a process may take to stop when asked to. */
const stopMs = 20_000

const key = 'mg_test-key-of-the-stack-0123456789'

const isReady = async (url: string): Promise<boolean> => (await fetch(`${url}/readyz`)).ok

/** Starts everything on free ports of 127.0.0.1 and migrates a new database. */
export const startStack = async (options: StackOptions): Promise<Stack> => {
  const { broker, workers: workerCount = 1, logs = 'ignore', root = repository } = options
  const main = `${root}/dist/bin/memoryguard.js`
  const [postgres, redis] = await Promise.all([
    startPostgres(options.durable ?? false),
    broker === 'redis' ? startRedis(options.redisArgs) : undefined,
  ])
  const port = await findFreePort('127.0.0.1')
  const url = `http://127.0.0.1:${port}`
  // Compute children get the search path and nothing else, so that is where a mark reaches them.
  const mark = `/memoryguard-${randomUUID()}`
  const env: NodeJS.ProcessEnv = {
    PATH: `${process.env['PATH']}:${mark}`,
    DATABASE_URL: postgres.url,
    ...(redis && { BROKER_URL: redis.url }),
    PORT: String(port),
    ADMIN_API_KEY: key,
    MODELS_DIR: `${repository}/models`,
    WORKER_CONCURRENCY: '2',
    LOG_LEVEL: 'warn',
    ...options.env,
  }
  const programs: Program[] = []
  const kept: string[] = []
  const run = (name: string, args: readonly string[], more: Readonly<Record<string, string>> = {}) => {
    const target = logs === 'keep' ? 'pipe' : logs
    const child = spawn(process.execPath, [...serverFlags, main, ...args], {
      env: { ...env, ...more },
      stdio: ['ignore', target, target],
    })
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => kept.push(data.toString()))
    const program = toProgram(name, child)
    programs.push(program)
    return program
  }
  const migration = await run('migrate', ['migrate']).exited
  if (migration !== 0) throw new Error(`The migration ended with ${migration}`)

  const stack: Stack = {
    url,
    key,
    databaseUrl: postgres.url,
    get postgresPid() {
      return postgres.pid
    },
    postgres,
    redis,
    env,
    api: run('api', ['api']),
    workers: [],
    run: (name, more) => run(name, [name], more),
    startApi: async () => {
      stack.api = run('api', ['api'])
      await waitFor(() => isReady(url), { what: 'the api' })
      return stack.api
    },
    startWorker: async (more = {}) => {
      const healthPort = await findFreePort('127.0.0.1')
      const healthUrl = `http://127.0.0.1:${healthPort}`
      const name = `worker${stack.workers.length + 1}@test`
      const worker = Object.assign(
        run('worker', ['worker'], { WORKER_HEALTH_PORT: String(healthPort), WORKER_NAME: name, ...more }),
        { healthUrl },
      )
      stack.workers.push(worker)
      await waitFor(() => isReady(healthUrl), { what: name })
      return worker
    },
    request: async (method, path, body, headers = {}) => {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      const text = await response.text()
      return {
        status: response.status,
        headers: response.headers,
        body: (text !== '' && /[/+]json/.test(response.headers.get('content-type') ?? '')
          ? JSON.parse(text)
          : {}) as Answer['body'],
        text,
      }
    },
    readLogs: () => kept.join(''),
    listProcesses: () => listProcessesOf(mark),
    stop: async () => {
      const overdue = await Promise.all(programs.map(stopInTime))
      await redis?.stop()
      await postgres.stop()
      const late = overdue.filter((name) => name !== undefined)
      if (late.length > 0) throw new Error(`Did not stop within ${stopMs} ms: ${late.join(', ')}`)
    },
  }
  try {
    await waitFor(() => isReady(url), { what: 'the api' })
    for (let index = 0; index < workerCount; index += 1) await stack.startWorker()
  } catch (error) {
    await stack.stop()
    throw error
  }
  return stack
}

/** The database of a stack: it can be killed and comes back on the same port with its data. */
export interface RestartablePostgres {
  readonly url: string
  readonly pid: number
  kill(): Promise<void>
  restart(): Promise<void>
  stop(): Promise<void>
}

const startPostgres = async (durable: boolean): Promise<RestartablePostgres> => {
  const home = mkdtempSync(join(tmpdir(), 'memoryguard-stack-'))
  // The account the server runs as must be able to enter.
  chmodSync(home, 0o711)
  const start = () => startEmbeddedPostgres({ home, durable, log: () => undefined })
  let server = await start()
  return {
    url: server.url,
    get pid() {
      return server.pid
    },
    kill: async () => {
      process.kill(server.pid, 'SIGKILL')
      await server.exited
      await server.stop()
    },
    restart: async () => {
      server = await start()
    },
    stop: async () => {
      await server.stop()
      // The data is elsewhere if the temporary folder of this system is closed to the server's account.
      for (const path of [realpathSync(join(home, 'postgres')), home]) rmSync(path, { recursive: true, force: true })
    },
  }
}

/** Ends a process; answers its name if it had to be killed. */
const stopInTime = async (program: Program): Promise<string | undefined> => {
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    void program.kill('SIGKILL')
  }, stopMs)
  await program.kill('SIGTERM')
  clearTimeout(timer)
  return isLate ? program.name : undefined
}

const toProgram = (name: string, child: ChildProcess): Program => {
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  return {
    name,
    pid: child.pid ?? 0,
    get isRunning() {
      return child.exitCode === null && child.signalCode === null
    },
    exited,
    signal: (signal) => void child.kill(signal),
    kill: async (signal = 'SIGKILL') => {
      child.kill(signal)
      return exited
    },
  }
}
