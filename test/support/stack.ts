import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { findFreePort, serverFlags } from '#libs/platform'
import { makeModelsFolder } from './models-folder.js'
import { listProcessesOf } from './process-list.js'
import { startRedis, type RedisServer } from './redis-server.js'
import {
  copyPostgres,
  findTemplate,
  makePostgresHome,
  startPostgres,
  type RestartablePostgres,
} from './stack-postgres.js'
import { waitFor } from './wait-for.js'

/** The repository's folder, from the source of this file or from its build. */
const repository = fileURLToPath(import.meta.url).replace(/(\/dist)?\/test\/support\/stack\.[jt]s$/, '')

export type BrokerKind = 'redis' | 'postgres'

export interface StackOptions {
  readonly broker: BrokerKind
  /** More arguments of the Redis server's command line. */
  readonly redisArgs?: readonly string[]
  /** The database, if the stack is not to start one; it is stopped with the stack. */
  readonly postgres?: RestartablePostgres & { readonly isMigrated: boolean }
  /** The Redis of `broker: 'redis'`, if the stack is not to start one. */
  readonly brokerUrl?: string
  /** Number of worker processes. Default 1. */
  readonly workers?: number
  readonly env?: Readonly<Record<string, string>>
  /** Port of the api. Default: a free one. */
  readonly port?: number
  /** Serves the models of the tests from a folder that is deleted in the end; a function adds others to it. */
  readonly testModels?: boolean | ((folder: string) => void)
  /** Database with fsync, as in production. Default false. */
  readonly durable?: boolean
  /** Folder of the built product. Default: the repository. */
  readonly root?: string
  /** Whether `root` holds the build of this repository, so that the database may be a copy of the template. */
  readonly isThisBuild?: boolean
  /** Node that runs it. Default: that of the tests. */
  readonly node?: string
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
  /** Folder of the built product that processes are started from. */
  root: string
  /** Environment of api and workers. */
  readonly env: NodeJS.ProcessEnv
  /** Runs a command of the program. */
  run(name: string, more?: Readonly<Record<string, string>>): Program
  startApi(): Promise<Program>
  /** Starts a worker; resolves when it is ready. */
  startWorker(env?: Readonly<Record<string, string>>): Promise<WorkerProgram>
  request(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<HttpResponse>
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<HttpResponse>
  post(path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<HttpResponse>
  readTask(id: unknown): Promise<HttpResponse['body']>
  /** Waits until a task is in a state, and returns it. */
  untilTask(id: unknown, state: string, timeoutMs?: number): Promise<HttpResponse['body']>
  /** Everything the processes have printed, with `logs: 'keep'`. */
  readLogs(): string
  /** Pids of every living process of api and workers, their compute children among them. */
  listProcesses(): readonly number[]
  stop(): Promise<void>
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Headers
  /** The parsed body; empty if it is not JSON. */
  readonly body: Record<string, unknown>
  readonly text: string
}

/** A worker with the address of its probes. */
export type WorkerProgram = Program & { readonly healthUrl: string }

/** Settings with which the work of a killed process is soon taken up by another. */
export const quickRecovery = { TASK_LOCK_SECONDS: '2', RECONCILE_INTERVAL_SECONDS: '0.5' } as const

/** Longest time that a process may take to start, on a machine that has much else to do. */
const startMs = 60_000
/** And to stop when asked to. */
const stopMs = 20_000

const key = 'mg_test-key-of-the-stack-0123456789'

const isReady = async (url: string): Promise<boolean> => (await fetch(`${url}/readyz`)).ok

/** Starts everything on free ports of 127.0.0.1, on a new database that is migrated or a copy of one that was. */
export const startStack = async (options: StackOptions): Promise<Stack> => {
  const { broker, workers: workerCount = 1, logs = 'ignore' } = options
  let { root = repository } = options
  const isThisBuild = options.root === undefined || options.isThisBuild === true
  const isPlain = isThisBuild && options.durable !== true && options.postgres === undefined
  const template = isPlain ? findTemplate(broker) : undefined
  const [postgres, redis] = await Promise.all([
    options.postgres ?? startOwnPostgres(template, options.durable ?? false),
    broker === 'redis' && options.brokerUrl === undefined ? startRedis(options.redisArgs) : undefined,
  ])
  const brokerUrl = options.brokerUrl ?? redis?.url
  const port = options.port ?? (await findFreePort('127.0.0.1'))
  const url = `http://127.0.0.1:${port}`
  const models = options.testModels ? makeModelsFolder() : undefined
  if (models !== undefined && typeof options.testModels === 'function') options.testModels(models)
  // Compute children get the search path and nothing else, so that is where a mark reaches them.
  const mark = `/memoryguard-${randomUUID()}`
  const env: NodeJS.ProcessEnv = {
    PATH: `${process.env['PATH']}:${mark}`,
    DATABASE_URL: postgres.url,
    ...(brokerUrl !== undefined && { BROKER_URL: brokerUrl }),
    PORT: String(port),
    ADMIN_API_KEY: key,
    MODELS_DIR: models ?? `${root}/models`,
    WORKER_CONCURRENCY: '2',
    LOG_LEVEL: 'warn',
    ...options.env,
  }
  const programs: Program[] = []
  const kept: string[] = []
  const run = (name: string, args: readonly string[], more: Readonly<Record<string, string>> = {}) => {
    const target = logs === 'keep' ? 'pipe' : logs
    const main = `${root}/dist/bin/memoryguard.js`
    const child = spawn(options.node ?? process.execPath, [...serverFlags, main, ...args], {
      env: { ...env, ...more },
      stdio: ['ignore', target, target],
    })
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => kept.push(data.toString()))
    const program = toProgram(name, child)
    programs.push(program)
    return program
  }
  const isMigrated = options.postgres?.isMigrated ?? template !== undefined
  const migration = isMigrated ? 0 : await run('migrate', ['migrate']).exited
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
    get root() {
      return root
    },
    set root(folder) {
      root = folder
    },
    env,
    api: run('api', ['api']),
    workers: [],
    run: (name, more) => run(name, [name], more),
    startApi: async () => {
      stack.api = run('api', ['api'])
      await waitFor(() => isReady(url), { what: 'the api', timeoutMs: startMs })
      return stack.api
    },
    startWorker: async (more = {}) => {
      const healthPort = await findFreePort('127.0.0.1')
      const healthUrl = `http://127.0.0.1:${healthPort}`
      // After the wait: workers that start at once must not share a name.
      const name = `worker${stack.workers.length + 1}@test`
      const worker = Object.assign(
        run('worker', ['worker'], { WORKER_HEALTH_PORT: String(healthPort), WORKER_NAME: name, ...more }),
        { healthUrl },
      )
      stack.workers.push(worker)
      await waitFor(() => isReady(healthUrl), { what: name, timeoutMs: startMs })
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
          : {}) as HttpResponse['body'],
        text,
      }
    },
    get: (path, headers) => stack.request('GET', path, undefined, headers),
    post: (path, body, headers) => stack.request('POST', path, body, headers),
    readTask: async (id) => (await stack.get(`/v1/tasks/${String(id)}`)).body,
    untilTask: (id, state, timeoutMs = 30_000) =>
      waitFor(
        async () => {
          const task = await stack.readTask(id)
          return task['state'] === state && task
        },
        { what: `task ${String(id)} to be ${state}`, timeoutMs },
      ),
    readLogs: () => kept.join(''),
    listProcesses: () => listProcessesOf(mark),
    stop: async () => {
      const overdue = await Promise.all(programs.map(stopInTime))
      await redis?.stop()
      await postgres.stop()
      if (models !== undefined) rmSync(models, { recursive: true })
      const late = overdue.filter((name) => name !== undefined)
      if (late.length > 0) throw new Error(`Did not stop within ${stopMs} ms: ${late.join(', ')}`)
    },
  }
  try {
    await Promise.all([
      waitFor(() => isReady(url), { what: 'the api', timeoutMs: startMs }),
      ...Array.from({ length: workerCount }, () => stack.startWorker()),
    ])
  } catch (error) {
    await stack.stop()
    throw error
  }
  return stack
}

const startOwnPostgres = (template: string | undefined, durable: boolean): Promise<RestartablePostgres> => {
  const home = makePostgresHome()
  if (template !== undefined) copyPostgres(template, home)
  return startPostgres(home, durable)
}

/** Ends a process; returns its name if it had to be killed. */
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
