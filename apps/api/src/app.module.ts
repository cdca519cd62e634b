import { DatabaseModule } from '#libs/database'
import { PlatformModule, type Config, type Logger } from '#libs/platform'
import { TasksModule } from '#libs/tasks'
import { Module, type DynamicModule } from '@nestjs/common'
import type { DataSource } from 'typeorm'
import { AccessModule } from './access/access.module.js'
import { BatchesModule } from './batches/batches.module.js'
import { EventsModule } from './events/events.module.js'
import { ForecastsModule } from './forecasts/forecasts.module.js'
import { HealthMetricsModule } from './health-metrics/health-metrics.module.js'
import { ExplanationsModule } from './explanations/explanations.module.js'
import { HealthModule } from './health/health.module.js'
import { ModelsModule } from './models/models.module.js'
import { PlansModule } from './plans/plans.module.js'
import { PredictionsModule } from './predictions/predictions.module.js'
import { QueuesModule } from './queues/queues.module.js'
import { SchedulesModule } from './schedules/schedules.module.js'
import { StatisticsModule } from './statistics/statistics.module.js'
import { TaskRoutesModule } from './tasks/tasks.module.js'
import { UsersModule } from './users/users.module.js'
import { WebhooksModule } from './webhooks/webhooks.module.js'
import { WorkersModule } from './workers/workers.module.js'

@Module({})
export class AppModule {
  static for(config: Config, log: Logger, dataSource: DataSource): DynamicModule {
    return {
      module: AppModule,
      imports: [
        PlatformModule.for(config, log),
        DatabaseModule.for(dataSource),
        TasksModule.for(config),
        AccessModule,
        BatchesModule,
        EventsModule,
        ForecastsModule,
        HealthMetricsModule,
        ExplanationsModule,
        HealthModule,
        ModelsModule,
        PlansModule,
        PredictionsModule,
        QueuesModule,
        SchedulesModule,
        StatisticsModule,
        TaskRoutesModule,
        UsersModule,
        WebhooksModule,
        WorkersModule,
      ],
    }
  }
}
