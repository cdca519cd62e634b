import { setTimeout as pause } from 'node:timers/promises'
import { connectWhenMigrated, createDataSource, withExplainedFailures } from '#libs/database'
import { logWhenReady } from '#libs/health'
import { assertDefaultModel, assertModelsFolder } from '#libs/ml/manifest'
import {
  collectGarbageOfStart,
  createLogger,
  explainListen,
  loadConfig,
  MemoryGuardError,
  readEnvironment,
  routeProcessOutput,
  findPortFrom,
  type Config,
} from '#libs/platform'
import { BrokerNotes, checkBrokerAtStart, FinishedTasks } from '#libs/tasks'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { BootstrapKey, type KeepFirstKey } from './access/bootstrap-key.js'
import { createApp } from './create-app.js'
import { ApiReadiness } from './health/api-readiness.js'
import { ProcessState } from './health/process-state.js'
import { ModelStates } from './models/model-states.js'
import { serveOpenApi } from './openapi.js'

/** How long requests under way may wait for their tasks after the API is asked to stop, in milliseconds. */
const releaseMs = 4_000
/** And how long they may take at all. */
const closeMs = 5_000

const supervisorGone = 'the supervisor is gone'

const untilAskedToStop = (): Promise<string> =>
  new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'] as const)
      process.once(signal, () => resolve(signal))
    process.once('disconnect', () => resolve(supervisorGone))
  })

/** A port that was asked for is the one; of the default's neighbours the first free one is. */
const choosePort = async ({ http: { host, port, isPortChosen } }: Config): Promise<number> =>
  isPortChosen ? port : ((await findPortFrom(port, host)) ?? port)

const listen = async (app: NestFastifyApplication, config: Config): Promise<void> => {
  try {
    await app.listen(await choosePort(config), config.http.host)
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE'))
      throw explainListen(cause, config.http.host)
    const where = `${config.http.host}:${config.http.port}`
    throw new MemoryGuardError('CONFIG_INVALID', `${where} is in use. Choose another port with --port or PORT.`, {
      cause,
    })
  }
}

/**
 * Runs the API until it is asked to stop. It listens at once: until the database is there, probes are answered and all
 * else is refused with 503. Stop: not ready, serving on for the shutdown delay, requests under way answered, the end.
 * `keepFirstKey` is called where an admin key has to be made, because neither configuration nor database has one.
 * @throws MemoryGuardError CONFIG_INVALID, also when the port is taken; DATABASE_UNAVAILABLE if waiting will not help.
 */
export const runApi = async (
  env: NodeJS.ProcessEnv = readEnvironment(),
  keepFirstKey?: KeepFirstKey,
): Promise<void> => {
  const config = loadConfig(env)
  const log = createLogger('api', config.log.level)
  routeProcessOutput(log)
  assertModelsFolder(config)
  assertDefaultModel(config)
  const asked = untilAskedToStop()
  const dataSource = createDataSource(config)
  const app = await createApp(config, log, dataSource)
  serveOpenApi(app, config.http)
  const lifecycle = app.get(ProcessState)
  // Before it is ready nothing is under way, and what it waits for may never come.
  void asked.then(() => lifecycle.state === 'starting' && process.exit(0))
  await listen(app, config)
  const start = async () => {
    await connectWhenMigrated(dataSource, config, log)
    app.get(BrokerNotes, { strict: false }).begin(await checkBrokerAtStart(config, log))
    await app.get(BootstrapKey).install(keepFirstKey)
    await app.get(ModelStates).start()
    await app.get(FinishedTasks).start()
  }
  await withExplainedFailures(start())
  collectGarbageOfStart()
  lifecycle.state = 'ready'
  void logWhenReady({
    log,
    fields: async () => ({ url: await app.getUrl() }),
    report: () => app.get(ApiReadiness).report(),
    isOver: () => lifecycle.state !== 'ready',
  })

  const why = await asked
  lifecycle.state = 'draining'
  log.info({ why }, 'stopping')
  // Balancers go on sending until they have noticed. A second signal ends the process.
  if (why !== supervisorGone) await pause(config.shutdownDelaySeconds * 1000)
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
