import { ModelStates } from '#libs/calls'
import { lookup } from 'node:dns/promises'
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
  Lifecycle,
  Tracing,
  tracingStep,
  runServer,
  untilAskedToStop,
  type Config,
  type LifecycleStep,
  type Logger,
} from '#libs/platform'
import { BrokerNotes, checkBrokerAtStart, FinishedTasks, PlanRunner, StatisticsWriter } from '#libs/tasks'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { DataSource } from 'typeorm'
import { BootstrapKey, type KeepFirstKey } from './access/bootstrap-key.js'
import { createApp } from './create-app.js'
import { serveConsole } from './console/serve-console.js'
import { ApiReadiness } from './health/api-readiness.js'
import { serveOpenApi } from './openapi.js'

/** How long requests in progress may wait for their tasks after the stop signal, in milliseconds. */
const releaseMs = 4_000
/** And how long they may take at all. */
const closeMs = 5_000

/** Returns the port that was set or, if none was, the first free one from the default on. */
const choosePort = async ({ http: { host, port, isPortChosen } }: Config): Promise<number> =>
  isPortChosen ? port : ((await findPortFrom(port, host)) ?? port)

const listen = async (app: NestFastifyApplication, config: Config): Promise<void> => {
  try {
    // By the name alone, Fastify would open one server for each address of localhost.
    const host = config.http.host === 'localhost' ? (await lookup('localhost')).address : config.http.host
    await app.listen(await choosePort(config), host)
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE'))
      throw explainListen(cause, config.http.host)
    const where = `${config.http.host}:${config.http.port}`
    throw new MemoryGuardError('CONFIG_INVALID', `${where} is in use. Choose another port with --port or PORT.`, {
      cause,
    })
  }
}

const close = async (app: NestFastifyApplication): Promise<void> => {
  const timers = [
    setTimeout(() => app.get(FinishedTasks).releaseAll(), releaseMs),
    // A caller who is slow to send or to read must not keep the process.
    setTimeout(() => app.getHttpServer().closeAllConnections(), closeMs),
  ]
  await app.close()
  timers.forEach(clearTimeout)
}

/** What the API is made of, in the order of its start. It listens first: until the database is there, probes get responses. */
const apiSteps = (
  app: NestFastifyApplication,
  dataSource: DataSource,
  config: Config,
  log: Logger,
  keepFirstKey?: KeepFirstKey,
): readonly LifecycleStep[] => {
  const statistics = app.get(StatisticsWriter, { strict: false }).loop
  const plans = app.get(PlanRunner, { strict: false }).loop
  return [
    tracingStep(app.get(Tracing), 'api'),
    { name: 'database connections', stop: () => dataSource.destroy() },
    { name: 'http', start: () => listen(app, config), stop: () => close(app) },
    { name: 'database', start: () => connectWhenMigrated(dataSource, config, log) },
    {
      name: 'broker',
      start: async () => app.get(BrokerNotes, { strict: false }).begin(await checkBrokerAtStart(config, log)),
    },
    { name: 'first key', start: () => app.get(BootstrapKey).install(keepFirstKey) },
    { name: 'models', start: () => app.get(ModelStates).start() },
    { name: 'finished tasks', start: () => app.get(FinishedTasks).start() },
    { name: 'plans', start: () => plans.start(), stop: () => plans.stop() },
    { name: 'statistics', start: () => statistics.start(), stop: () => statistics.stop() },
    { name: 'garbage of the start', start: collectGarbageOfStart },
  ]
}

/**
 * Runs the API until the stop signal. Then it becomes unready, serves for the shutdown delay, finishes the requests in
 * progress and exits. `keepFirstKey` stores a new admin key if neither configuration nor database has one.
 * @throws {MemoryGuardError} CONFIG_INVALID, also when the port is taken; DATABASE_UNAVAILABLE if waiting will not help.
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
  const asked = untilAskedToStop(log)
  const dataSource = createDataSource(config)
  const app = await createApp(config, log, dataSource)
  serveOpenApi(app, config.http)
  await serveConsole(app, config.http)
  const lifecycle = app.get(Lifecycle)
  const onStarted = () =>
    void logWhenReady({
      log,
      fields: async () => ({ url: await app.getUrl() }),
      report: () => app.get(ApiReadiness).report(),
      isOver: () => lifecycle.state !== 'ready',
    })
  const celery = config.celery && (await import('./celery/revoke-step.js')).revokeStep(app, config.celery, log)
  const steps = [...apiSteps(app, dataSource, config, log, keepFirstKey), ...(celery ? [celery] : [])]
  const { shutdownDelaySeconds } = config
  await withExplainedFailures(runServer({ lifecycle, steps, log, asked, shutdownDelaySeconds, onStarted }))
}
