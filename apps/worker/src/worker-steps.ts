import { setTimeout as pause } from 'node:timers/promises'
import { connectWhenMigrated } from '#libs/database'
import { COMPUTE_POOL, ModelRegistry, type ComputePool } from '#libs/ml'
import {
  collectGarbageOfStart,
  type Config,
  type LifecycleStep,
  type Logger,
  Tracing,
  tracingStep,
  withinTime,
} from '#libs/platform'
import { Broker, checkBrokerAtStart, PlanRunner, StatisticsWriter } from '#libs/tasks'
import type { INestApplicationContext } from '@nestjs/common'
import type { DataSource } from 'typeorm'
import type { CelerySteps } from './celery/celery-steps.js'
import { Maintenance } from './maintenance/maintenance.js'
import { Schedules } from './schedules/schedules.js'
import { Webhooks } from './webhooks/webhooks.js'
import { Consumers } from './processors/consumers.js'
import { processors } from './processors/processors.js'
import { Autoscaler } from './capacity/autoscaler.js'
import { LeaseKeeper } from './execution/lease-keeper.js'
import { Presence } from './control/presence.js'
import { RemoteControl } from './control/remote-control.js'
import { Shadows } from './execution/shadows.js'
import { TaskRunner } from './execution/task-runner.js'
import { Watchdog } from './watchdog/watchdog.js'

/** How long a stop waits for each thing that closes connections: a dead one may never close, in milliseconds. */
const closeMs = 3_000
/** How long a watchdog's end waits for running tasks to be handed back, in milliseconds. */
const handBackMs = 5_000
/** Nothing has run for this long while consumers close: they wait for a broker that does not respond, in milliseconds. */
const quietMs = 3_000
/** The same for a broker that is known to be out of order: nothing comes from it any more, in milliseconds. */
const outageMs = 300

const untilQuiet = async (leases: LeaseKeeper, forMs: number): Promise<void> => {
  for (let since = Date.now(); Date.now() - since < forMs;) {
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

/** Finishes what runs; hands back what is not finished by the drain deadline. */
const drain = async (
  finished: () => Promise<unknown>,
  runner: TaskRunner,
  leases: LeaseKeeper,
  isBrokerOut: boolean,
  { worker }: Config,
  log: Logger,
) => {
  const deadline = setTimeout(() => {
    log.warn('drain deadline passed: handing back what still runs')
    runner.releaseAll()
  }, worker.drainSeconds * 1000)
  await Promise.race([finished(), untilQuiet(leases, isBrokerOut ? outageMs : quietMs)])
  clearTimeout(deadline)
}

/**
 * What a worker is made of, in the order of its start: each step may use those before it. The stop is the reverse, so
 * that no new job arrives while what runs is finished, and results are stored before the database is closed.
 */
export const workerSteps = (
  app: INestApplicationContext,
  dataSource: DataSource,
  config: Config,
  log: Logger,
  celery?: CelerySteps,
): readonly LifecycleStep[] => {
  const [models, presence, runner, leases] = [
    app.get(ModelRegistry, { strict: false }),
    app.get(Presence),
    app.get(TaskRunner),
    app.get(LeaseKeeper),
  ]
  const [consumers, watchdog, schedules] = [app.get(Consumers), app.get(Watchdog), app.get(Schedules).loop]
  const broker = app.get(Broker, { strict: false })
  const step = (name: string, part: { start(): unknown; stop(): unknown }, stopMs?: number): LifecycleStep => ({
    name,
    start: () => part.start(),
    stop: () => part.stop(),
    ...(stopMs !== undefined && { stopMs }),
  })
  return [
    tracingStep(app.get(Tracing, { strict: false }), 'worker'),
    {
      name: 'database',
      // Models are loaded meanwhile.
      start: async () => {
        await Promise.all([connectWhenMigrated(dataSource, config, log), models.watch(config.models.folder)])
        if (config.broker.url === undefined) await checkBrokerAtStart(config, log)
      },
      stop: () => dataSource.destroy(),
      stopMs: closeMs,
    },
    {
      name: 'container',
      start: collectGarbageOfStart,
      stop: () => withinTime(app.close(), broker.outage.isKnown ? outageMs : closeMs, undefined),
    },
    step('heartbeat', presence),
    { name: 'compute pool', stop: () => app.get<ComputePool>(COMPUTE_POOL, { strict: false }).stop() },
    step('shadows', app.get(Shadows)),
    { name: 'models', stop: () => models.stop(), stopMs: closeMs },
    step('remote control', app.get(RemoteControl), closeMs),
    step('leases', leases.loop),
    step('webhooks', app.get(Webhooks), closeMs),
    { name: 'schedules', start: () => schedules.start(0), stop: () => schedules.stop() },
    step('maintenance', app.get(Maintenance).loop),
    step('plans', app.get(PlanRunner, { strict: false }).loop),
    step('statistics', app.get(StatisticsWriter, { strict: false }).loop),
    ...(celery?.before ?? []),
    {
      name: 'consumers',
      start: () => consumers.start(new Map(config.worker.queues.map((queue) => [queue, app.get(processors[queue])]))),
      stop: () => {
        const finished = () => Promise.all([consumers.drain(), celery?.untilIdle()])
        return drain(finished, runner, leases, broker.outage.isKnown, config, log)
      },
    },
    ...(celery?.after ?? []),
    { name: 'ready', start: () => presence.become('ready'), stop: () => presence.become('draining') },
    step('autoscaler', app.get(Autoscaler)),
    {
      name: 'watchdog',
      start: () => watchdog.start(() => void endStalled(runner, leases)),
      stop: () => watchdog.stop(),
    },
  ]
}
