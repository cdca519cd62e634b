import { connectWhenMigrated, createDataSource } from '#libs/database'
import { assertDefaultModel } from '#libs/ml/manifest'
import {
  collectGarbageOfStart,
  createLogger,
  loadConfig,
  MemoryGuardError,
  readEnvironment,
  routeProcessOutput,
  findPortFrom,
  type Config,
} from '#libs/platform'
import { checkBrokerAtStart, FinishedTasks } from '#libs/tasks'
import { createApp } from './create-app.js'
import { Lifecycle } from './health/lifecycle.js'
import { serveOpenApi } from './openapi.js'

/** How long requests under way may wait for their tasks after the API is asked to stop, in milliseconds. */
const releaseMs = 4_000
/** And how long they may take at all. */
const closeMs = 5_000

const untilAskedToStop = (): Promise<string> =>
  new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) process.once(signal, () => resolve(signal))
    process.once('disconnect', () => resolve('the supervisor is gone'))
  })

/** A port that was asked for is the one; of the default's neighbours the first free one is. */
const choosePort = async ({ http: { host, port, isPortChosen } }: Config): Promise<number> =>
  isPortChosen ? port : ((await findPortFrom(port, host)) ?? port)

/**
 * Runs the API until it is asked to stop: requests under way are answered, then connections are closed.
 * @throws MemoryGuardError CONFIG_INVALID, also when the port is taken.
 */
export const runApi = async (env: NodeJS.ProcessEnv = readEnvironment()): Promise<void> => {
  const config = loadConfig(env)
  const log = createLogger('api', config.log.level)
  routeProcessOutput(log)
  assertDefaultModel(config)
  const asked = untilAskedToStop()
  let isStarting = true
  // Before it listens nothing is under way, and what it waits for may never come.
  void asked.then(() => isStarting && process.exit(0))
  const dataSource = createDataSource(config)
  await connectWhenMigrated(dataSource, log)
  await checkBrokerAtStart(config, log)
  const app = await createApp(config, log, dataSource)
  serveOpenApi(app, config.http)
  await app.get(FinishedTasks).start()
  const lifecycle = app.get(Lifecycle)
  try {
    await app.listen(await choosePort(config), config.http.host)
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE')) throw cause
    const where = `${config.http.host}:${config.http.port}`
    throw new MemoryGuardError('CONFIG_INVALID', `${where} is in use. Choose another port with --port or PORT.`, {
      cause,
    })
  }
  collectGarbageOfStart()
  lifecycle.state = 'ready'
  isStarting = false
  log.info({ url: await app.getUrl() }, 'ready')

  const why = await asked
  lifecycle.state = 'draining'
  log.info({ why }, 'stopping')
  const timers = [
    setTimeout(() => app.get(FinishedTasks).releaseAll(), releaseMs),
    // A caller who is slow to send or to read must not keep the process.
    setTimeout(() => app.getHttpServer().closeAllConnections(), closeMs),
  ]
  await app.close()
  timers.forEach(clearTimeout)
  await dataSource.destroy()
  log.info('stopped')
  process.exit(0)
}
