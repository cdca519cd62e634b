import { CeleryConnections, CeleryQueues, CeleryResults } from '#libs/celery'
import { CallsModule } from '#libs/calls'
import { CallRevokes } from '#libs/calls/celery'
import { CONFIG, LOGGER, type CeleryConfig, type Config, type Logger } from '#libs/platform'
import type { Provider } from '@nestjs/common'
import { CallIntake } from './call-intake.js'
import { CallOutcomes } from './call-outcomes.js'
import { CallPlanner } from './call-planner.js'
import { CallRetention } from './call-retention.js'
import { CallStore } from './call-store.js'
import { CELERY_CALLS, celeryCommandProviders } from './celery-commands.js'
import { ClaimLoop } from './claim-loop.js'
import { DirectStarts } from './direct-starts.js'
import { ForeignTasks } from './foreign-tasks.js'
import { GatewayCalls } from './gateway-calls.js'
import { MessageKeeper } from './message-keeper.js'
import { MessageSource } from './message-source.js'
import { OrphanedCalls } from './orphaned-calls.js'
import { QueueWakers } from './queue-wakers.js'
import { ResultDelivery } from './result-delivery.js'
import { ResultPublisher } from './result-publisher.js'
import { StateReports } from './state-reports.js'
import { StrayMessages } from './stray-messages.js'
import { TakenCalls } from './taken-calls.js'

export { celerySteps } from './celery-steps.js'

/** The configuration of the gateway: this file is loaded only where there is one. */
const celeryOf = ({ celery }: Config): CeleryConfig => celery as CeleryConfig

/** What a worker has in addition when it serves Celery callers. */
export const celeryParts = {
  imports: [CallsModule],
  providers: [
    {
      provide: CeleryConnections,
      inject: [CONFIG, LOGGER],
      useFactory: (config: Config, log: Logger) => {
        // What uses a connection says that it fails, once; the attempts to make it again come several times a second.
        return new CeleryConnections(celeryOf(config), (error) => log.debug({ err: error }, 'Celery connection failed'))
      },
    },
    {
      provide: CeleryResults,
      inject: [CeleryConnections, CONFIG],
      useFactory: (connections: CeleryConnections, config: Config) =>
        new CeleryResults(connections, { expiresSeconds: celeryOf(config).resultExpiresSeconds }),
    },
    {
      provide: CeleryQueues,
      inject: [CeleryConnections],
      useFactory: (connections: CeleryConnections) => new CeleryQueues(connections),
    },
    ...celeryCommandProviders,
    { provide: CELERY_CALLS, useExisting: GatewayCalls },
    CallIntake,
    CallOutcomes,
    CallPlanner,
    CallRetention,
    CallRevokes,
    CallStore,
    ClaimLoop,
    DirectStarts,
    ForeignTasks,
    GatewayCalls,
    MessageKeeper,
    MessageSource,
    OrphanedCalls,
    QueueWakers,
    ResultDelivery,
    ResultPublisher,
    StateReports,
    StrayMessages,
    TakenCalls,
  ] satisfies Provider[],
}
