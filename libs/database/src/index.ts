export { withAdvisoryLock } from './connection/advisory-lock.js'
export { explainFailure, isDatabaseFailure, withExplainedFailures } from './connection/connection-failure.js'
export { assertConnectionsFit, connectionOptions } from './connection/connections.js'
export { connectWithin } from './connection/connect-within.js'
export { connectWhenMigrated, createDataSource, runMigrations } from './connection/data-source.js'
export { ownTables, readMigrations } from './connection/migration-state.js'
export type { Database } from './connection/database.js'
export { DatabaseModule } from './database.module.js'
export { batchProgress } from './batches/batch-progress.js'
export { readDatabaseFacts } from './connection/database-facts.js'
export { DatabaseReadiness } from './connection/database-readiness.js'
export { isDatabaseUnavailable, isTextRefused } from './connection/database-unavailable.js'
export { ApiKeyEntity, roles, type Role } from './access/api-key.entity.js'
export { ForecastEntity } from './forecasts/forecast.entity.js'
export { ModelActivationEntity } from './models/model-activation.entity.js'
export { ScheduleEntity, catchUpPolicies } from './schedules/schedule.entity.js'
export { TaskAttemptEntity } from './tasks/task-attempt.entity.js'
export { TaskEntity, type TaskLimits } from './tasks/task.entity.js'
export {
  WorkerEntity,
  type WorkerModelState,
  type WorkerState,
  type WorkerStats,
  type WorkerTaskLimits,
} from './workers/worker.entity.js'
export { NotificationListener } from './connection/notification-listener.js'
export { PreparedStatements } from './connection/prepared-statements.js'
export { ApiKeyRepository } from './access/api-key.repository.js'
export { BootstrapKeyRepository } from './access/bootstrap-key.repository.js'
export { OidcCallerRepository, oidcCallerId, oidcName, type OidcIdentity } from './access/oidc-caller.repository.js'
export {
  SessionRepository,
  signInMethods,
  type Session,
  type SessionHolder,
  type SignInMethod,
} from './access/session.repository.js'
export { BatchRepository } from './batches/batch.repository.js'
export type {
  BatchAcceptance,
  BatchResultRow,
  BatchRowError,
  BatchStart,
  BatchView,
  StoredChunk,
} from './batches/batch-types.js'
export { AuditRepository, type AuditEntry, type CountedAuditEntry } from './access/audit.repository.js'
export { ErasureRepository, erasedKinds } from './users/erasure.repository.js'
export { ForecastRepository, type MadeForecast, type WantedForecast } from './forecasts/forecast.repository.js'
export {
  HealthMetricsRepository,
  type MeasuredHistory,
  type Measurement,
} from './health-metrics/health-metrics.repository.js'
export {
  ExplanationRepository,
  type StoredExplanation,
  type ExplanationView,
} from './explanations/explanation.repository.js'
export { ModelActivationRepository, type ShadowDifferences } from './models/model-activation.repository.js'
export {
  PredictionRepository,
  type NewPrediction,
  type PredictionView,
  type SubmittedPrediction,
} from './predictions/prediction.repository.js'
export { PredictionListRepository, type PredictionFilter } from './predictions/prediction-list.repository.js'
export { CeleryArrearsRepository } from './celery/celery-arrears.repository.js'
export {
  CeleryCallRepository,
  type NewCeleryCall,
  type OpenCall,
  type ResolvedPrediction,
  type StoredCall,
} from './celery/celery-call.repository.js'
export { CeleryRevokeRepository, stampKey } from './celery/celery-revoke.repository.js'
export type { CallFailure, EndedCallTask, EndedCeleryCall } from './celery/ended-call.js'
export { PlanEntity, planActions, type PlanAction } from './plans/plan.entity.js'
export { PlanRepository, type PlanSlice } from './plans/plan.repository.js'
export { ProgressRepository, type ProgressReport } from './tasks/progress.repository.js'
export type { TaskProgress } from './tasks/task-progress.js'
export { QueueRepository, type QueueStatistics, type WaitingRange } from './queues/queue.repository.js'
export {
  ScheduleRepository,
  type Firing,
  type ScheduleOrigin,
  type ScheduleSettings,
} from './schedules/schedule.repository.js'
export { percentileOf } from './statistics/histogram.js'
export {
  SeriesRepository,
  type EndedPoint,
  type SampledPoint,
  type SeriesFilter,
  type SeriesGroup,
  type SeriesRange,
} from './statistics/series.repository.js'
export { StatisticsRepository, type QueueSample } from './statistics/statistics.repository.js'
export { RetentionRepository, firstTaskId } from './tasks/retention.repository.js'
export {
  TaskCallRepository,
  replayableStates,
  type NewTask,
  type ReplayedTask,
  type RevokedTask,
  type TaskOrigin,
} from './tasks/task-call.repository.js'
export { SearchValueRepository } from './tasks/search-value.repository.js'
export { TaskFailureRepository, type FailureGroup } from './tasks/task-failure.repository.js'
export { type TaskFilter } from './tasks/task-filter.js'
export { TaskListRepository, type CountLimits } from './tasks/task-list.repository.js'
export { TaskEventRepository, type EventClock, type TaskHistory } from './tasks/task-event.repository.js'
export { TaskRepository, type AttemptEnd, type ClaimedTask, type RevokeRequest } from './tasks/task.repository.js'
export { type EnqueueableTask, type TaskJob } from './tasks/enqueue-row.js'
export { storedBefore, type StoredSubmission, type Submission } from './tasks/submission.js'
export {
  WebhookDeliveryRepository,
  webhookEvents,
  type AttemptReport,
  type ClaimedDelivery,
  type Delivery,
} from './webhooks/webhook-delivery.repository.js'
export { WebhookRepository, type Webhook } from './webhooks/webhook.repository.js'
export {
  WorkerCommandRepository,
  type CommandOutcome,
  type WorkerCommand,
} from './workers/worker-command.repository.js'
export { WorkerRepository, type Heartbeat, type SeenWorker } from './workers/worker.repository.js'
export { controlChannel, finishedChannel } from './tasks/task-sql.js'
export { timelineOf, type TimelineEntry } from './tasks/timeline.js'
export { ListReads } from './lists/list-reads.js'
export type { EndedTask } from './tasks/task-sql.js'
