import { createDataSource, DatabaseReadiness, withExplainedFailures } from '#libs/database'
import { logWhenReady, Readiness } from '#libs/health'
import { assertDefaultModel, assertModelsFolder } from '#libs/ml/manifest'
import { COMPUTE_POOL, ModelRegistry, type ComputePool } from '#libs/ml'
import {
  createLogger,
  findPortFrom,
  Lifecycle,
  loadConfig,
  nestLogger,
  readEnvironment,
  routeProcessOutput,
  runServer,
  untilAskedToStop,
  type Config,
  type LifecycleStep,
  type Logger,
} from '#libs/platform'
import { BrokerNotes, checkBrokerAtStart } from '#libs/tasks'
import type { Type } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { LeaseKeeper } from './execution/lease-keeper.js'
import { TaskRunner } from './execution/task-runner.js'
import { ProbeServer } from './health/probe-server.js'
import { WorkerMetrics } from './health/worker-metrics.js'
import { Watchdog } from './watchdog/watchdog.js'
import { expandWorkerName } from './control/worker-name.js'
import { workerSteps } from './worker-steps.js'
import { WorkerModule } from './worker.module.js'

/**
 * Runs a worker until the stop signal. Start: configuration, schema, models, consumers, ready. Stop: not ready,
 * no new jobs, running ones up to the drain deadline, hand back the rest, children, heartbeat, database.
 */
export const runWorker = async (env: NodeJS.ProcessEnv = readEnvironment()): Promise<void> => {
  const config = loadConfig(env)
  const log = createLogger('worker', config.log.level).child({ worker: expandWorkerName(config.worker.name) })
  routeProcessOutput(log)
  assertModelsFolder(config)
  assertDefaultModel(config)
  const asked = untilAskedToStop(log, ['SIGQUIT'])
  const isRedis = config.broker.url !== undefined
  // Before anything connects to it; the queues in PostgreSQL are checked when the database is there.
  const notes = isRedis ? await checkBrokerAtStart(config, log) : undefined
  const dataSource = createDataSource(config)
  const celery = config.celery && (await import('./celery/celery.module.js'))
  const app = await NestFactory.createApplicationContext(
    WorkerModule.for(config, log, dataSource, celery?.celeryParts),
    {
      logger: nestLogger(log),
      abortOnError: false,
    },
  )
  const get = <Part>(part: Type<Part>): Part => app.get(part, { strict: false })
  get(BrokerNotes).begin(notes)
  const celerySteps = celery?.celerySteps(app, log)
  const [lifecycle, registry] = [get(Lifecycle), get(ModelRegistry)]
  const report = () =>
    get(Readiness).report(
      {
        lifecycle: async () => (lifecycle.state === 'ready' ? undefined : lifecycle.state),
        consumers: async () => get(Watchdog).fault,
        models: async () => registry.findFault(config.worker.queues.some((queue) => queue !== 'forecasts')),
        database: () => get(DatabaseReadiness).findFault(),
      },
      { needsBroker: true, notes: celerySteps?.notes() },
    )
  get(WorkerMetrics).watch({
    slots: () => get(TaskRunner).concurrency,
    active: () => get(LeaseKeeper).size,
    pool: app.get<ComputePool>(COMPUTE_POOL, { strict: false }),
  })
  const probes = new ProbeServer({ state: () => lifecycle.state, readiness: report, metrics: get(WorkerMetrics) })
  const onStarted = () =>
    void logWhenReady({
      log,
      fields: async () => ({
        queues: config.worker.queues,
        models: registry.readyReferences,
        healthPort: probes.port,
      }),
      report,
      isOver: () => lifecycle.state !== 'ready',
    })
  const steps = [probeStep(probes, config, log), ...workerSteps(app, dataSource, config, log, celerySteps)]
  const { shutdownDelaySeconds } = config
  await withExplainedFailures(runServer({ lifecycle, steps, log, asked, shutdownDelaySeconds, onStarted }))
}

/** Started first and stopped last: probes get responses for as long as the process lives. */
const probeStep = (probes: ProbeServer, { worker, http }: Config, log: Logger): LifecycleStep => ({
  name: 'probes',
  start: async () => {
    const { healthPort: port, isHealthPortChosen } = worker
    const freePort = isHealthPortChosen ? port : await findPortFrom(port, http.host)
    await probes.listen(http.host, freePort ?? port)
    log.info({ healthPort: probes.port }, 'probes and metrics served')
  },
  stop: () => probes.close(),
})
