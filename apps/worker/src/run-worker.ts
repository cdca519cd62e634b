import { setTimeout as pause } from 'node:timers/promises'
import { createDataSource, DatabaseReadiness, withExplainedFailures } from '#libs/database'
import { logWhenReady, Readiness } from '#libs/health'
import { assertDefaultModel, assertModelsFolder } from '#libs/ml/manifest'
import { ModelRegistry } from '#libs/ml'
import {
  createLogger,
  findPortFrom,
  Lifecycle,
  loadConfig,
  nestLogger,
  readEnvironment,
  routeProcessOutput,
  type Logger,
} from '#libs/platform'
import { BrokerNotes, checkBrokerAtStart } from '#libs/tasks'
import { NestFactory } from '@nestjs/core'
import { ProbeServer } from './health/probe-server.js'
import { WorkerMetrics } from './health/worker-metrics.js'
import { Watchdog } from './watchdog/watchdog.js'
import { expandWorkerName } from './control/worker-name.js'
import { workerSteps } from './worker-steps.js'
import { WorkerModule } from './worker.module.js'

/** Asked to stop: softly by SIGTERM, SIGINT, SIGHUP or a supervisor that is gone, at once by SIGQUIT or the second signal. */
const untilAskedToStop = (log: Logger): Promise<void> =>
  new Promise((resolve) => {
    let asked = false
    const ask = (why: string) => {
      if (asked) {
        log.warn({ why }, 'stopping at once')
        process.exit(1)
      }
      asked = true
      log.info({ why }, 'stopping: no new tasks; running ones are finished')
      resolve()
    }
    process.on('SIGTERM', () => ask('SIGTERM'))
    process.on('SIGINT', () => ask('SIGINT'))
    process.on('SIGHUP', () => ask('SIGHUP'))
    process.on('SIGQUIT', () => {
      asked = true
      ask('SIGQUIT')
    })
    process.once('disconnect', () => ask('the supervisor is gone'))
  })

/**
 * Runs a worker until it is asked to stop. Start: configuration, schema, models, consumers, ready. Stop: not ready,
 * no new jobs, running ones up to the drain deadline, hand back the rest, children, heartbeat, database.
 */
export const runWorker = async (env: NodeJS.ProcessEnv = readEnvironment()): Promise<void> => {
  const config = loadConfig(env)
  const log = createLogger('worker', config.log.level).child({ worker: expandWorkerName(config.worker.name) })
  routeProcessOutput(log)
  assertModelsFolder(config)
  assertDefaultModel(config)
  const asked = untilAskedToStop(log)
  const isRedis = config.broker.url !== undefined
  // Before anything connects to it; the queues in PostgreSQL are looked at when the database is there.
  const notes = isRedis ? await checkBrokerAtStart(config, log) : undefined
  const dataSource = createDataSource(config)
  const app = await NestFactory.createApplicationContext(WorkerModule.for(config, log, dataSource), {
    logger: nestLogger(log),
    abortOnError: false,
  })
  const readiness = app.get(Readiness, { strict: false })
  const brokerNotes = app.get(BrokerNotes, { strict: false })
  brokerNotes.begin(notes)
  const database = app.get(DatabaseReadiness, { strict: false })
  const registry = app.get(ModelRegistry, { strict: false })
  const watchdog = app.get(Watchdog)
  let state: 'starting' | 'ready' | 'draining' = 'starting'
  // Before it is ready nothing is in hand, and what it waits for may never come.
  void asked.then(() => state === 'starting' && process.exit(0))
  const report = () =>
    readiness.report(
      {
        lifecycle: async () => (state === 'ready' ? undefined : state),
        consumers: async () => watchdog.fault,
        models: async () => (registry.readyReferences.length > 0 ? undefined : 'none is ready'),
        database: () => database.findFault(),
      },
      { needsBroker: true },
    )
  const probes = new ProbeServer({
    state: () => state,
    readiness: report,
    metrics: app.get(WorkerMetrics),
  })
  const { healthPort: port, isHealthPortChosen } = config.worker
  const freePort = isHealthPortChosen ? port : await findPortFrom(port, config.http.host)
  const healthPort = await probes.listen(config.http.host, freePort ?? port)
  log.info({ healthPort }, 'probes and metrics served')

  const lifecycle = new Lifecycle(log)
  await withExplainedFailures(lifecycle.start(workerSteps(app, dataSource, config, log)))
  state = 'ready'
  void logWhenReady({
    log,
    fields: async () => ({ queues: config.worker.queues, models: registry.readyReferences, healthPort }),
    report,
    isOver: () => state !== 'ready',
  })

  await asked
  state = 'draining'
  await pause(config.shutdownDelaySeconds * 1000)
  await lifecycle.stop()
  await probes.close()
  log.info('stopped')
  process.exit(0)
}
