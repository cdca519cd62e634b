import { Module, type DynamicModule } from '@nestjs/common'
import { DataSource } from 'typeorm'
import { ListReads } from './list-reads.js'
import { DatabaseReadiness } from './database-readiness.js'
import { PreparedStatements } from './prepared-statements.js'
import { ApiKeyRepository } from './repositories/api-key.repository.js'
import { BootstrapKeyRepository } from './repositories/bootstrap-key.repository.js'
import { BatchRepository } from './repositories/batch.repository.js'
import { AuditRepository } from './repositories/audit.repository.js'
import { ErasureRepository } from './repositories/erasure.repository.js'
import { ForecastRepository } from './repositories/forecast.repository.js'
import { HealthMetricsRepository } from './repositories/health-metrics.repository.js'
import { ExplanationRepository } from './repositories/explanation.repository.js'
import { ModelActivationRepository } from './repositories/model-activation.repository.js'
import { PredictionListRepository } from './repositories/prediction-list.repository.js'
import { PredictionRepository } from './repositories/prediction.repository.js'
import { ProgressRepository } from './repositories/progress.repository.js'
import { QueueRepository } from './repositories/queue.repository.js'
import { ScheduleRepository } from './repositories/schedule.repository.js'
import { RetentionRepository } from './repositories/retention.repository.js'
import { TaskCallRepository } from './repositories/task-call.repository.js'
import { TaskListRepository } from './repositories/task-list.repository.js'
import { TaskEventRepository } from './repositories/task-event.repository.js'
import { TaskRepository } from './repositories/task.repository.js'
import { WebhookDeliveryRepository } from './repositories/webhook-delivery.repository.js'
import { WebhookRepository } from './repositories/webhook.repository.js'
import { WorkerCommandRepository } from './repositories/worker-command.repository.js'
import { WorkerRepository } from './repositories/worker.repository.js'

const repositories = [
  ListReads,
  AuditRepository,
  QueueRepository,
  ProgressRepository,
  WorkerCommandRepository,
  TaskRepository,
  TaskCallRepository,
  TaskListRepository,
  TaskEventRepository,
  PredictionRepository,
  PredictionListRepository,
  BatchRepository,
  WebhookRepository,
  WebhookDeliveryRepository,
  WorkerRepository,
  ScheduleRepository,
  ApiKeyRepository,
  BootstrapKeyRepository,
  HealthMetricsRepository,
  ForecastRepository,
  ExplanationRepository,
  ModelActivationRepository,
  ErasureRepository,
  RetentionRepository,
]

/** The repositories on a data source that its process connects and closes, and the connections of prepared statements. */
@Module({})
export class DatabaseModule {
  static for(dataSource: DataSource): DynamicModule {
    return {
      module: DatabaseModule,
      global: true,
      providers: [
        { provide: DataSource, useValue: dataSource },
        PreparedStatements,
        DatabaseReadiness,
        ...repositories,
      ],
      exports: [DataSource, DatabaseReadiness, ...repositories],
    }
  }
}
