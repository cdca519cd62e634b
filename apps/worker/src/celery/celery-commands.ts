import {
  CeleryConnections,
  CeleryControl,
  CeleryEvents,
  ControlPanel,
  LogicalClock,
  type CeleryCalls,
} from '#libs/celery'
import { CallRevokes } from '#libs/calls/celery'
import { CONFIG, LOGGER, type Config, type Logger } from '#libs/platform'
import type { Provider } from '@nestjs/common'
import { WORKER_NAME } from '../control/worker-name.js'
import { LeaseKeeper } from '../execution/lease-keeper.js'
import { WorkerMetrics } from '../health/worker-metrics.js'
import { CommandedWorker } from './commanded-worker.js'

/** Injection token of the `CeleryCalls` that commands see. */
export const CELERY_CALLS = Symbol('CELERY_CALLS')

/** Commands of `celery inspect` and `celery control`, and events: what Flower is made of. They need `CELERY_CALLS`. */
export const celeryCommandProviders: readonly Provider[] = [
  CommandedWorker,
  { provide: LogicalClock, useFactory: () => new LogicalClock() },
  {
    provide: CeleryEvents,
    inject: [CeleryConnections, LogicalClock, WORKER_NAME, LeaseKeeper, WorkerMetrics, CONFIG, LOGGER],
    useFactory: (
      connections: CeleryConnections,
      clock: LogicalClock,
      name: string,
      leases: LeaseKeeper,
      { totals }: WorkerMetrics,
      { celery }: Config,
      log: Logger,
    ) => {
      const read = () => ({ active: leases.size, processed: totals.processed })
      const sendsTasks = celery?.sendsTaskEvents ?? false
      return new CeleryEvents(connections, { name, clock, sendsTasks, read }, log)
    },
  },
  {
    provide: CeleryControl,
    inject: [
      CeleryConnections,
      LogicalClock,
      WORKER_NAME,
      CELERY_CALLS,
      CommandedWorker,
      CeleryEvents,
      CallRevokes,
      LOGGER,
    ],
    useFactory: (
      connections: CeleryConnections,
      clock: LogicalClock,
      name: string,
      calls: CeleryCalls,
      worker: CommandedWorker,
      events: CeleryEvents,
      revokes: CallRevokes,
      log: Logger,
    ) => {
      const { handle } = new ControlPanel({ name, clock, calls, worker, events }, log)
      const learnRevoked = (ids: readonly string[]) => revokes.learn(ids)
      return new CeleryControl(connections, { name, clock, handle, learnRevoked }, log)
    },
  },
]
