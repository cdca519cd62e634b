import { maskUrl, type CeleryConfig, type Config } from '#libs/platform'

/** What `celery inspect conf` and Flower show: our settings by the names of Celery's, without passwords. */
export const celerySettings = ({ worker, task }: Config, celery: CeleryConfig): Readonly<Record<string, unknown>> => ({
  broker_url: maskUrl(celery.brokerUrl),
  result_backend: maskUrl(celery.resultBackend),
  result_expires: celery.resultExpiresSeconds,
  task_serializer: 'json',
  result_serializer: 'json',
  accept_content: ['json'],
  timezone: 'UTC',
  enable_utc: true,
  task_default_queue: 'celery',
  task_track_started: true,
  task_time_limit: task.timeLimitSeconds,
  task_soft_time_limit: task.softTimeLimitSeconds,
  task_annotations: { '*': { max_retries: task.maxRetries, default_retry_delay: task.retryDelaySeconds } },
  worker_pool: worker.pool,
  worker_concurrency: worker.concurrency,
  worker_prefetch_multiplier: celery.prefetchMultiplier,
  worker_max_tasks_per_child: worker.maxTasksPerChild,
  worker_max_memory_per_child: worker.maxMemoryPerChildKb,
  worker_send_task_events: celery.sendsTaskEvents,
  worker_pool_restarts: true,
})
