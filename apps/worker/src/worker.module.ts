import { DatabaseModule } from '#libs/database'
import { ReadinessModule } from '#libs/health'
import { MlModule } from '#libs/ml'
import { PlatformModule, type Config, type Logger } from '#libs/platform'
import { TasksModule } from '#libs/tasks'
import { BullModule } from '@nestjs/bullmq'
import { Module, type DynamicModule } from '@nestjs/common'
import type { DataSource } from 'typeorm'
import * as handlerClasses from './handlers/handlers.js'
import { WorkerMetrics } from './health/worker-metrics.js'
import { Maintenance } from './maintenance/maintenance.js'
import { Webhooks } from './maintenance/webhooks.js'
import { ConsumerFactory } from './processors/consumer-factory.js'
import { Schedules } from './maintenance/schedules.js'
import { Retention } from './maintenance/retention.js'
import { Consumers } from './processors/consumers.js'
import { createConsumerClass } from './processors/consumer.js'
import { DeliveredJobs } from './processors/delivered-jobs.js'
import { processors } from './processors/processors.js'
import { Autoscaler } from './runtime/autoscaler.js'
import { FinishedLines } from './runtime/finished-lines.js'
import { HandlerRegistry } from './runtime/handler-registry.js'
import { LeaseKeeper } from './runtime/lease-keeper.js'
import { PoolSize } from './runtime/pool-size.js'
import { Presence } from './runtime/presence.js'
import { Shadows } from './runtime/shadows.js'
import type { TaskHandler } from './runtime/task-handler.js'
import { ProgressReports } from './runtime/progress-reports.js'
import { RemoteControl } from './runtime/remote-control.js'
import { TaskRunner } from './runtime/task-runner.js'
import { Watchdog } from './runtime/watchdog.js'
import { WorkerCommands } from './runtime/worker-commands.js'
import { WebhookSender } from './webhooks/webhook-sender.js'
import { expandWorkerName, WORKER_NAME } from './runtime/worker-name.js'

const handlers = Object.values(handlerClasses)

/** A worker, built from the queues it is to consume. Nothing is consumed before `runWorker` says so. */
@Module({})
export class WorkerModule {
  static for(config: Config, log: Logger, dataSource: DataSource): DynamicModule {
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
      ],
      providers: [
        { provide: WORKER_NAME, useValue: expandWorkerName(name) },
        ...handlers,
        {
          provide: HandlerRegistry,
          inject: handlers,
          useFactory: (...made: TaskHandler[]) => new HandlerRegistry(made, queues),
        },
        WorkerMetrics,
        FinishedLines,
        DeliveredJobs,
        Consumers,
        ConsumerFactory,
        LeaseKeeper,
        Presence,
        Shadows,
        Maintenance,
        Schedules,
        Retention,
        Webhooks,
        WebhookSender,
        ProgressReports,
        TaskRunner,
        PoolSize,
        Autoscaler,
        Watchdog,
        WorkerCommands,
        RemoteControl,
        ...queues.map((queue) => processors[queue]),
      ],
    }
  }
}
