import { z } from 'zod'
import { celeryQueueList, celeryUrl, count, seconds } from './kinds.js'
import { secret, variable } from './variable.js'

/** The variables of the Celery gateway. */
export const celeryVariables = {
  CELERY_BROKER_URL: secret(
    celeryUrl.optional(),
    'Redis broker of Celery callers, such as `redis://redis:6379/1`: workers then serve them too (docs/migrating-from-celery.md). Empty: no Celery gateway.',
  ),
  CELERY_RESULT_BACKEND: secret(
    celeryUrl.optional(),
    'Redis in which Celery callers look for results, such as `redis://redis:6379/2`. Default: `CELERY_BROKER_URL`.',
  ),
  CELERY_QUEUES: variable(
    celeryQueueList.default(['celery', 'predictions', 'batch', 'explanations', 'forecasts']),
    'Celery queues from which workers take calls, separated by commas, as by `-Q` of `celery worker`. `WORKER_QUEUES` decides of which tasks.',
  ),
  CELERY_RESULT_EXPIRES_SECONDS: variable(
    seconds(0).default(86_400),
    'Results for Celery callers are removed from Redis after this time, as by `result_expires`; 0: never.',
  ),
  CELERY_PREFETCH_MULTIPLIER: variable(
    count(0, 10_000).default(4),
    'A worker takes at most this many unfinished calls for each compute child from Celery queues, and as many more as it finishes within a quarter of a second; 0: all there are.',
  ),
  CELERY_TASK_EVENTS: variable(
    z.enum(['true', 'false'], { error: 'must be true or false' }).default('false'),
    '`true`: workers publish the events of tasks for Flower and `celery events` from the start, not only once these ask for them.',
  ),
} as const
