import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { assertDefaultModel, assertModelsFolder } from '#libs/ml/manifest'
import { findFreePort, findPortFrom, isPortFree, Lifecycle, loadConfig, reasonOf, type Config } from '#libs/platform'
import { announceUrl, baseUrl } from '../client/connect.js'
import { hasConsole, makeConsoleLink } from '../client/console-link.js'
import { faultsIn, toReadiness } from '../client/readiness.js'
import { RestClient } from '../client/rest-client.js'
import { CommandError } from '../command-error.js'
import { print, warn } from '../output.js'
import { ensureAdminKey } from './admin-key.js'
import { checkRedis } from './broker-check.js'
import { logFolder, openHome, acquireProcessLock, SupervisedPostgres } from '#libs/embedded-postgres'
import { listenForInterruption } from './interruption.js'
import { announceDatabase, startLockPath } from './running-database.js'
import { SupervisedProcess, type SupervisedProgram } from './supervised-process.js'
import { hasNothingStored, submitExample, summaryOf } from './worked-example.js'

/** The program itself, which api and worker are commands of. */
const program = join(dirname(createRequire(import.meta.url).resolve('#package.json')), 'bin/memoryguard.js')

const root = join(dirname(program), '..')
/** For development: compiles what changes; Node restarts a process whose compiled code has changed. */
const compiler = {
  main: join(root, 'node_modules/typescript/bin/tsc'),
  args: ['--project', root, '--watch', '--preserveWatchOutput'],
}
const compiledMain = (app: string) => join(root, 'dist/apps', app, 'src/main.js')
const watchFlags = ['--watch', '--watch-preserve-output', '--enable-source-maps']

const readyMs = 60_000
const pollMs = 50
/** How long one request to a readiness probe may take; the probe itself gives up on a check sooner. */
const probeMs = 10_000

/** How long the children of a killed run may take to notice and give the port back. */
const orphanMs = 15_000

/** How long api and compiler may take to stop. */
const stopMs = 10_000

/** What all parts of a start share. */
interface Start {
  readonly env: NodeJS.ProcessEnv
  readonly config: Config
  /** Real path of MEMORYGUARD_HOME. */
  readonly home: string
  readonly isWatched: boolean
  readonly signal: AbortSignal
  readonly lifecycle: Lifecycle
  readonly processes: SupervisedProcess[]
}

/**
 * Runs everything on this machine until it is interrupted: PostgreSQL unless DATABASE_URL is set, api and worker.
 * `isWatched` is for development: the logs are shown, and api and worker are restarted when their code changes. Returns
 * the exit code.
 * @throws {CommandError | MemoryGuardError} with what to do, if something cannot start; nothing is left running.
 */
export const runStart = async (env: NodeJS.ProcessEnv, isWatched = false): Promise<number> => {
  const processes: SupervisedProcess[] = []
  const lifecycle = new Lifecycle({
    debug: () => undefined,
    error: ({ err, step }) => warn(`The ${step} was not stopped properly: ${reasonOf(err)}`),
  })
  const { signal, release } = listenForInterruption(() => {
    warn('Ending at once')
    for (const supervised of processes) supervised.kill()
    process.exit(130)
  })
  try {
    const config = loadConfig(env)
    assertModelsFolder(config)
    assertDefaultModel(config)
    await run({ env, config, home: openHome(config.home), isWatched, signal, lifecycle, processes })
    return 0
  } catch (error) {
    if (signal.aborted) return 0
    throw error
  } finally {
    if (signal.aborted) print('\nStopping ...')
    await lifecycle.stop()
    if (signal.aborted) print('Stopped. The data is kept.')
    release()
  }
}

const run = async (start: Start): Promise<void> => {
  const startedAt = performance.now()
  const { env, config, home, isWatched, signal, lifecycle } = start
  const port = await reservePort(config, lockHome(start))
  const url = baseUrl(config.http.host, port)
  const adminKey = config.adminApiKey ?? ensureAdminKey(home)
  if (config.broker.url !== undefined) await checkRedis(config.broker.url)
  const postgres = config.database.url === undefined ? await SupervisedPostgres.start(home, print) : undefined
  if (postgres) lifecycle.add({ name: 'database', stop: () => postgres.stop() })
  signal.throwIfAborted()
  const shared = withSettings(postgres ? withoutPostgresVariables(env) : env, {
    MEMORYGUARD_HOME: home,
    DATABASE_URL: postgres?.url ?? config.database.url,
    // No balancer stands before what runs in a terminal.
    SHUTDOWN_DELAY_SECONDS: '0',
  })
  await migrate(shared, signal)
  if (postgres) lifecycle.add({ name: 'address of the database', stop: announceDatabase(home, postgres.url) })
  print('The database is ready')

  if (isWatched) supervise(start, 'compiler', { ...compiler, env: process.env, stopMs }).markProven()
  // Stopped in reverse: the api first, so that nothing new arrives while the worker finishes.
  const worker = await superviseWorker(start, shared)
  const apiEnv = withSettings(shared, { PORT: String(port), ADMIN_API_KEY: adminKey })
  const api = supervise(start, 'api', { ...serverProgram('api', isWatched), env: apiEnv, stopMs })
  const ends = [api.end, worker.process.end, ...(postgres ? [postgres.end] : []), onceAborted(signal)]
  const ready = async () => {
    await Promise.all([untilReady(api, url, signal), untilReady(worker.process, worker.url, signal)])
    lifecycle.add({ name: 'address of the api', stop: announceUrl(home, url) })
    print('api and worker are ready')
    const client = new RestClient(url, adminKey)
    const prediction = await showExample(client, postgres !== undefined, signal).catch((error: unknown) => {
      signal.throwIfAborted()
      warn(`The worked example failed. ${reasonOf(error)}`)
      return undefined
    })
    const seconds = (performance.now() - startedAt) / 1000
    const isKept = config.adminApiKey === undefined
    const adminKeySource = isKept ? `kept in ${shown(join(home, 'admin-key'))}` : 'ADMIN_API_KEY'
    const consoleLink = await linkOfStart(client, { publicUrl: config.http.publicUrl, signal })
    const facts = { url, adminKey, adminKeySource, logFolder: shown(logFolder(home)), seconds, consoleLink }
    for (const line of summaryOf(prediction, facts)) print(line)
  }
  await Promise.race([ready(), ...ends])
  await Promise.race(ends)
}

/** Keeps a program running until the start is stopped. */
const supervise = (
  { home, isWatched, lifecycle, processes }: Start,
  name: string,
  program: Omit<SupervisedProgram, 'name' | 'logPath' | 'isShown' | 'log'>,
): SupervisedProcess => {
  const logPath = join(logFolder(home), `${name}.log`)
  const supervised = new SupervisedProcess({ ...program, name, logPath, isShown: isWatched, log: warn })
  processes.push(supervised)
  lifecycle.add({ name, stop: () => supervised.stop() })
  return supervised
}

const serverProgram = (name: string, isWatched: boolean) =>
  isWatched ? { main: compiledMain(name), nodeFlags: watchFlags } : { main: program, args: [name] }

const superviseWorker = async (start: Start, shared: NodeJS.ProcessEnv) => {
  const { http, worker } = start.config
  // The default is left to a worker that is started beside this one, and 0 means any.
  const isChosen = worker.isHealthPortChosen && worker.healthPort !== 0
  const healthPort = isChosen ? worker.healthPort : await findFreePort(http.host)
  const env = withSettings(shared, {
    WORKER_HEALTH_PORT: String(healthPort),
    // A worker started beside this one has the default name.
    WORKER_NAME: start.env['WORKER_NAME'] || 'start@%h',
  })
  const program = { ...serverProgram('worker', start.isWatched), env, stopMs: (worker.drainSeconds + 10) * 1000 }
  return { process: supervise(start, 'worker', program), url: baseUrl(http.host, healthPort) }
}

/** The environment with settings put into it; a file that names one of them has no say any more. */
const withSettings = (env: NodeJS.ProcessEnv, settings: NodeJS.ProcessEnv): NodeJS.ProcessEnv => {
  const files = Object.keys(settings).map((name) => `${name}_FILE`)
  return { ...Object.fromEntries(Object.entries(env).filter(([name]) => !files.includes(name))), ...settings }
}

/** What the shell says of other servers must not reach our own. */
const withoutPostgresVariables = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^PG[A-Z]/.test(name)))
}

/** The worked example is of an invented person: it is computed where nothing is stored yet, in a database of our own. */
const showExample = async (client: RestClient, isEmbedded: boolean, signal: AbortSignal) => {
  return isEmbedded && (await hasNothingStored(client, signal)) ? submitExample(client, signal) : undefined
}

/** The link for a browser; a start without it is none the worse. */
const linkOfStart = async (
  client: RestClient,
  options: { readonly publicUrl: string | undefined; readonly signal: AbortSignal },
): Promise<string | undefined> => {
  try {
    return (await hasConsole(client)) ? (await makeConsoleLink(client, options)).url : undefined
  } catch (error) {
    options.signal.throwIfAborted()
    warn(`No link for the console was made. ${reasonOf(error)}`)
    return undefined
  }
}

/** Makes this the only `npm start` on its home; returns whether the last one was killed. */
const lockHome = ({ home, lifecycle }: Start): boolean => {
  const lock = acquireProcessLock(startLockPath(home))
  if ('heldBy' in lock) {
    throw new CommandError(
      `MemoryGuard already runs on ${shown(home)} (process ${lock.heldBy}). Stop it with Ctrl-C in its terminal or\n` +
        `"kill ${lock.heldBy}", or run a second one beside it: MEMORYGUARD_HOME=another-folder npm start -- --port 3001`,
    )
  }
  lifecycle.add({ name: 'lock', stop: () => lock.release() })
  return lock.isAfterCrash
}

/** The port of the API: the one that was asked for, or the first free one from the default on. */
const reservePort = async ({ http: { host, port, isPortChosen } }: Config, isAfterCrash: boolean): Promise<number> => {
  if (port === 0) return findFreePort(host)
  const deadline = Date.now() + (isAfterCrash ? orphanMs : 0)
  while (!(await isPortFree(port, host))) {
    if (Date.now() <= deadline) {
      await wait(pollMs)
      continue
    }
    const next = await findPortFrom(port + 1, host)
    if (isPortChosen || next === undefined) {
      throw new CommandError(
        `Port ${port} on ${host} is in use by another program. Choose another: npm start -- --port ${next ?? 0}  (or set PORT).`,
      )
    }
    warn(`Port ${port} on ${host} is in use by another program: using ${next}. Choose one with --port or PORT.`)
    return next
  }
  return port
}

/** Updates the schema in a process of its own, so that the database library does not stay in the memory of this one. */
const migrate = async (env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<void> => {
  const child = spawn(process.execPath, [program, 'migrate', '--wait', '0'], {
    env,
    signal,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let words = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (words += chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new CommandError(`The database could not be brought to this version's schema.\n${words.trim()}`)
}

const untilReady = async (supervised: SupervisedProcess, url: string, signal: AbortSignal): Promise<void> => {
  const deadline = Date.now() + readyMs
  for (;;) {
    const fault = await readinessFault(url, signal)
    if (fault === undefined) return supervised.markProven()
    if (Date.now() > deadline) {
      const { name, logPath } = supervised.program
      const why = fault === '' ? '' : ` (${fault})`
      throw new CommandError(`The ${name} was not ready after ${readyMs / 1000} s${why}: see ${shown(logPath)}.`)
    }
    await wait(pollMs, undefined, { signal })
  }
}

/** What the readiness probe says is wrong, perhaps in no words; undefined if it is ready. */
const readinessFault = async (url: string, signal: AbortSignal): Promise<string | undefined> => {
  try {
    // Without the signal, on which every fetch leaves a listener behind: what polls checks it itself.
    const response = await fetch(new URL('/readyz', url), { signal: AbortSignal.timeout(probeMs) })
    if (!response.ok) {
      const faults = faultsIn(toReadiness(await response.json()))
      return faults.map(([check, fault]) => `${check}: ${fault}`).join('; ')
    }
    await response.body?.cancel()
    return undefined
  } catch {
    signal.throwIfAborted()
    return ''
  }
}

const onceAborted = (signal: AbortSignal): Promise<void> => {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** A path as short as a reader in the working folder needs it. */
const shown = (path: string): string => {
  const short = relative(process.cwd(), path)
  return short.startsWith('..') ? path : short || '.'
}
