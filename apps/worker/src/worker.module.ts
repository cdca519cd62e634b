import { DatabaseModule } from '#libs/database'
import { ReadinessModule } from '#libs/health'
import { MlModule } from '#libs/ml'
import { PlatformModule, type Config, type Logger } from '#libs/platform'
import { TasksModule } from '#libs/tasks'
import { BullModule } from '@nestjs/bullmq'
import { Module, type DynamicModule, type ModuleMetadata } from '@nestjs/common'
import type { DataSource } from 'typeorm'
import { handlers } from './handlers/handlers.js'
import { WorkerMetrics } from './health/worker-metrics.js'
import { Maintenance } from './maintenance/maintenance.js'
import { Webhooks } from './webhooks/webhooks.js'
import { ConsumerFactory } from './processors/consumer-factory.js'
import { Schedules } from './schedules/schedules.js'
import { Retention } from './maintenance/retention.js'
import { Consumers } from './processors/consumers.js'
import { createConsumerClass } from './processors/consumer.js'
import { DeliveredJobs } from './processors/delivered-jobs.js'
import { processors } from './processors/processors.js'
import { Autoscaler } from './capacity/autoscaler.js'
import { HandlerRegistry } from './execution/handler-registry.js'
import { LeaseKeeper } from './execution/lease-keeper.js'
import { DueWork } from './capacity/due-work.js'
import { PoolSize } from './capacity/pool-size.js'
import { Presence } from './control/presence.js'
import { Shadows } from './execution/shadows.js'
import type { TaskHandler } from './execution/task-handler.js'
import { ProgressReports } from './execution/progress-reports.js'
import { RemoteControl } from './control/remote-control.js'
import { Attempts } from './execution/attempts.js'
import { WorkerLimits } from './capacity/worker-limits.js'
import { GroupReports } from './execution/group-reports.js'
import { TaskRunner } from './execution/task-runner.js'
import { Watchdog } from './watchdog/watchdog.js'
import { WorkerCommands } from './control/worker-commands.js'
import { WorkerFacts } from './control/worker-facts.js'
import { WebhookSender } from './webhooks/webhook-sender.js'
import { expandWorkerName, WORKER_NAME } from './control/worker-name.js'

const handlerClasses = Object.values(handlers)

/** What a worker may have in addition. */
export type WorkerParts = Pick<ModuleMetadata, 'imports' | 'providers'>

/** A worker, built from the queues it is to consume. Nothing is consumed before `runWorker` starts the consumers. */
@Module({})
export class WorkerModule {
  static for(config: Config, log: Logger, dataSource: DataSource, more: WorkerParts = {}): DynamicModule {
    const { queues, name } = config.worker
    BullModule.workerClass = createConsumerClass(config)
    return {
      module: WorkerModule,
      imports: [
        PlatformModule.for(config, log),
        DatabaseModule.for(dataSource),
        TasksModule.for(config),
        MlModule,
        ReadinessModule,
        ...(more.imports ?? []),
      ],
      providers: [
        { provide: WORKER_NAME, useValue: expandWorkerName(name) },
        ...handlerClasses,
        {
          provide: HandlerRegistry,
          inject: handlerClasses,
          useFactory: (...made: TaskHandler[]) => new HandlerRegistry(made),
        },
        WorkerMetrics,
        DeliveredJobs,
        Consumers,
        ConsumerFactory,
        LeaseKeeper,
        WorkerFacts,
        Presence,
        Shadows,
        Maintenance,
        Schedules,
        Retention,
        Webhooks,
        WebhookSender,
        ProgressReports,
        Attempts,
        GroupReports,
        TaskRunner,
        WorkerLimits,
        PoolSize,
        DueWork,
        Autoscaler,
        Watchdog,
        WorkerCommands,
        RemoteControl,
        ...queues.map((queue) => processors[queue]),
        ...(more.providers ?? []),
      ],
    }
  }
}
