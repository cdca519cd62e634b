import { Module, type DynamicModule } from '@nestjs/common'
import { DataSource } from 'typeorm'
import { ListReads } from './lists/list-reads.js'
import { DatabaseReadiness } from './connection/database-readiness.js'
import { PreparedStatements } from './connection/prepared-statements.js'
import { ApiKeyRepository } from './access/api-key.repository.js'
import { BootstrapKeyRepository } from './access/bootstrap-key.repository.js'
import { OidcCallerRepository } from './access/oidc-caller.repository.js'
import { SessionRepository } from './access/session.repository.js'
import { CeleryRevokeRepository } from './celery/celery-revoke.repository.js'
import { CeleryCallRepository } from './celery/celery-call.repository.js'
import { BatchRepository } from './batches/batch.repository.js'
import { AuditRepository } from './access/audit.repository.js'
import { ErasureRepository } from './users/erasure.repository.js'
import { ForecastRepository } from './forecasts/forecast.repository.js'
import { HealthMetricsRepository } from './health-metrics/health-metrics.repository.js'
import { ExplanationRepository } from './explanations/explanation.repository.js'
import { ModelActivationRepository } from './models/model-activation.repository.js'
import { PlanRepository } from './plans/plan.repository.js'
import { PredictionListRepository } from './predictions/prediction-list.repository.js'
import { PredictionRepository } from './predictions/prediction.repository.js'
import { ProgressRepository } from './tasks/progress.repository.js'
import { QueueRepository } from './queues/queue.repository.js'
import { ScheduleRepository } from './schedules/schedule.repository.js'
import { RetentionRepository } from './tasks/retention.repository.js'
import { SeriesRepository } from './statistics/series.repository.js'
import { StatisticsRepository } from './statistics/statistics.repository.js'
import { TaskCallRepository } from './tasks/task-call.repository.js'
import { SearchValueRepository } from './tasks/search-value.repository.js'
import { TaskFailureRepository } from './tasks/task-failure.repository.js'
import { TaskListRepository } from './tasks/task-list.repository.js'
import { TaskEventRepository } from './tasks/task-event.repository.js'
import { TaskRepository } from './tasks/task.repository.js'
import { WebhookDeliveryRepository } from './webhooks/webhook-delivery.repository.js'
import { WebhookRepository } from './webhooks/webhook.repository.js'
import { WorkerCommandRepository } from './workers/worker-command.repository.js'
import { WorkerRepository } from './workers/worker.repository.js'

const repositories = [
  ListReads,
  AuditRepository,
  QueueRepository,
  ProgressRepository,
  WorkerCommandRepository,
  TaskRepository,
  TaskCallRepository,
  TaskListRepository,
  TaskFailureRepository,
  SearchValueRepository,
  TaskEventRepository,
  PredictionRepository,
  PredictionListRepository,
  BatchRepository,
  CeleryCallRepository,
  CeleryRevokeRepository,
  WebhookRepository,
  WebhookDeliveryRepository,
  WorkerRepository,
  ScheduleRepository,
  ApiKeyRepository,
  BootstrapKeyRepository,
  SessionRepository,
  OidcCallerRepository,
  HealthMetricsRepository,
  ForecastRepository,
  ExplanationRepository,
  ModelActivationRepository,
  PlanRepository,
  ErasureRepository,
  RetentionRepository,
  SeriesRepository,
  StatisticsRepository,
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
