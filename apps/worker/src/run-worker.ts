import { setTimeout as pause } from 'node:timers/promises'
import {
  assertConnectionsFit,
  connectWhenMigrated,
  createDataSource,
  DatabaseReadiness,
  isDatabaseUnavailable,
} from '#libs/database'
import { assertDefaultModel } from '#libs/ml/manifest'
import { COMPUTE_POOL, ModelRegistry, type ComputePool } from '#libs/ml'
import {
  collectGarbageOfStart,
  createLogger,
  findPortFrom,
  lateAnswer,
  loadConfig,
  nestLogger,
  readEnvironment,
  readinessCheckMs,
  routeProcessOutput,
  withinTime,
  type Logger,
} from '#libs/platform'
import { Broker, BrokerNotes, checkBrokerAtStart } from '#libs/tasks'
import { NestFactory } from '@nestjs/core'
import { ProbeServer } from './health/probe-server.js'
import { WorkerMetrics } from './health/worker-metrics.js'
import { Maintenance } from './maintenance/maintenance.js'
import { Schedules } from './maintenance/schedules.js'
import { Webhooks } from './maintenance/webhooks.js'
import { Consumers } from './processors/consumers.js'
import { processors } from './processors/processors.js'
import { Autoscaler } from './runtime/autoscaler.js'
import { LeaseKeeper } from './runtime/lease-keeper.js'
import { Presence } from './runtime/presence.js'
import { RemoteControl } from './runtime/remote-control.js'
import { Shadows } from './runtime/shadows.js'
import { TaskRunner } from './runtime/task-runner.js'
import { Watchdog } from './runtime/watchdog.js'
import { expandWorkerName } from './runtime/worker-name.js'
import { WorkerModule } from './worker.module.js'

/** How long a watchdog's end waits for running tasks to be handed back. */
const handBackMs = 5_000
/** How long a stop waits for each thing that closes connections. */
const closeMs = 3_000

/** A connection that is dead may never close: it is left to the end of the process. */
const inTime = (closing: Promise<unknown>): Promise<unknown> => withinTime(closing, closeMs, undefined)

/** Nothing has run for this long while consumers close: they wait for a broker that does not answer. */
const quietMs = 3_000

const untilQuiet = async (leases: LeaseKeeper): Promise<void> => {
  for (let since = Date.now(); Date.now() - since < quietMs;) {
    await pause(100)
    if (leases.size > 0) since = Date.now()
  }
}

/** Hands back what runs, as far as that works, and ends for the supervisor to start another worker. */
const endStalled = async (runner: TaskRunner, leases: LeaseKeeper): Promise<void> => {
  runner.releaseAll()
  for (const end = Date.now() + handBackMs; leases.size > 0 && Date.now() < end;) await pause(50)
  process.exit(1)
}

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
  const [presence, runner, maintenance, consumers, watchdog, autoscaler] = [
    app.get(Presence),
    app.get(TaskRunner),
    app.get(Maintenance),
    app.get(Consumers),
    app.get(Watchdog),
    app.get(Autoscaler),
  ]
  const broker = app.get(Broker, { strict: false })
  const brokerNotes = app.get(BrokerNotes, { strict: false })
  brokerNotes.begin(notes)
  const database = app.get(DatabaseReadiness, { strict: false })
  const registry = app.get(ModelRegistry, { strict: false })
  let state: 'starting' | 'ready' | 'draining' = 'starting'
  // Before it is ready nothing is in hand, and what it waits for may never come.
  void asked.then(() => state === 'starting' && process.exit(0))
  const probes = new ProbeServer({
    isStarted: () => state !== 'starting',
    faults: async () => {
      const [stored, queues] = await Promise.all([
        faultOf('database', () => database.findFault()),
        faultOf('broker', () => broker.assertWritable().then(() => undefined)),
      ])
      return {
        ...(state === 'draining' && { worker: 'draining' }),
        ...watchdog.faults,
        ...(registry.readyReferences.length === 0 && { models: 'none is ready' }),
        ...stored,
        ...queues,
      }
    },
    notes: () => brokerNotes.current,
    metrics: app.get(WorkerMetrics),
  })
  const { healthPort: port, isHealthPortChosen } = config.worker
  const freePort = isHealthPortChosen ? port : await findPortFrom(port, config.http.host)
  const healthPort = await probes.listen(config.http.host, freePort ?? port)
  log.info({ healthPort }, 'probes and metrics')

  const connected = connectWhenMigrated(dataSource, log)
  await Promise.all([connected, registry.watch(config.models.folder)])
  await assertConnectionsFit(config)
  if (!isRedis) await checkBrokerAtStart(config, log)
  collectGarbageOfStart()
  presence.start()
  await app.get(RemoteControl).start()
  app.get(Shadows).start()
  consumers.start(new Map(config.worker.queues.map((queue) => [queue, app.get(processors[queue])])))
  await presence.become('ready')
  maintenance.start()
  autoscaler.start()
  app.get(Webhooks).start()
  watchdog.start(() => void endStalled(runner, app.get(LeaseKeeper)))
  app.get(Schedules).start()
  state = 'ready'
  log.info({ queues: config.worker.queues, models: registry.readyReferences, healthPort }, 'ready')

  await asked
  state = 'draining'
  await pause(config.shutdownDelaySeconds * 1000)
  await Promise.all([watchdog.stop(), autoscaler.stop()])
  await presence.become('draining')
  const deadline = setTimeout(() => {
    log.warn('the drain deadline has passed: handing back what still runs')
    runner.releaseAll()
  }, config.worker.drainSeconds * 1000)
  await Promise.race([consumers.drain(), untilQuiet(app.get(LeaseKeeper))])
  clearTimeout(deadline)
  await maintenance.stop()
  await app.get(Schedules).stop()
  await inTime(app.get(Webhooks).stop())
  await app.get(LeaseKeeper).stop()
  await inTime(app.get(RemoteControl).stop())
  await inTime(registry.stop())
  await app.get(Shadows).stop()
  await app.get<ComputePool>(COMPUTE_POOL, { strict: false }).stop()
  await presence.stop()
  await inTime(app.close())
  await inTime(dataSource.destroy())
  await probes.close()
  log.info('stopped')
  process.exit(0)
}

const faultOf = async (name: string, ask: () => Promise<string | undefined>): Promise<Record<string, string>> => {
  try {
    const fault = await withinTime(ask(), readinessCheckMs, lateAnswer)
    return fault === undefined ? {} : { [name]: fault }
  } catch (error) {
    return { [name]: isDatabaseUnavailable(error) ? 'unreachable' : error instanceof Error ? error.message : 'unknown' }
  }
}
