import { ModelStates } from '#libs/calls'
import { CeleryConnections, CeleryControl, CeleryEvents } from '#libs/celery'
import { reasonOf, type LifecycleStep, type Logger } from '#libs/platform'
import type { INestApplicationContext } from '@nestjs/common'
import { CallRetention } from './call-retention.js'
import { ClaimLoop } from './claim-loop.js'
import { ForeignTasks } from './foreign-tasks.js'
import { DirectStarts } from './direct-starts.js'
import { OrphanedCalls } from './orphaned-calls.js'
import { ResultDelivery } from './result-delivery.js'
import { StateReports } from './state-reports.js'

/** What a worker starts before and after its own consumers to serve Celery callers; nothing is taken once they stop. */
export interface CelerySteps {
  readonly before: readonly LifecycleStep[]
  readonly after: readonly LifecycleStep[]
  /** What operators are to know of it. */
  readonly notes: () => readonly string[]
  /** Resolves when no task runs that was started without the broker. */
  readonly untilIdle: () => Promise<void>
}

export const celerySteps = (app: INestApplicationContext, log: Logger): CelerySteps => {
  const [connections, models, retention] = [
    app.get(CeleryConnections),
    app.get(ModelStates, { strict: false }),
    app.get(CallRetention),
  ]
  const [delivery, states, claims, orphans] = [
    app.get(ResultDelivery),
    app.get(StateReports),
    app.get(ClaimLoop),
    app.get(OrphanedCalls),
  ]
  const [events, control, foreign] = [app.get(CeleryEvents), app.get(CeleryControl), app.get(ForeignTasks)]
  return {
    before: [
      { name: 'celery connections', start: () => connect(connections, log), stop: () => connections.close() },
      { name: 'celery models', start: () => models.start() },
      { name: 'celery results', start: () => delivery.start(), stop: () => delivery.stop(), stopMs: 5_000 },
      { name: 'celery retention', start: () => retention.loop.start(), stop: () => retention.loop.stop() },
      { name: 'celery states', start: () => states.start() },
      { name: 'celery commands', start: () => control.start(), stop: () => control.stop(), stopMs: 2_000 },
      { name: 'celery events', start: () => events.start(), stop: () => events.stop(), stopMs: 2_000 },
    ],
    after: [
      { name: 'celery orphans', start: () => orphans.loop.start(), stop: () => orphans.loop.stop() },
      { name: 'celery foreign tasks', start: () => foreign.loop.start(), stop: () => foreign.loop.stop() },
      { name: 'celery calls', start: () => claims.start(), stop: () => claims.stop(), stopMs: 5_000 },
    ],
    notes: () => foreign.notes,
    untilIdle: () => app.get(DirectStarts).untilIdle(),
  }
}

/** A Redis of Celery that cannot be reached keeps nobody else from being served. */
const connect = async (connections: CeleryConnections, log: Logger): Promise<void> => {
  try {
    await connections.connect()
  } catch (error) {
    log.warn({ err: error }, `Redis of Celery callers cannot be reached: ${reasonOf(error)}; trying again`)
  }
}
