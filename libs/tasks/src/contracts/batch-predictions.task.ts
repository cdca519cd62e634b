import { z } from 'zod'
import { defineTask } from './define-task.js'
import { longList } from './long-list.js'
import { entityId, healthMetrics } from './process-prediction.task.js'

/**
 * Risks of many people, of the metrics in `health_metrics_list` or else of those that are recorded. No worker runs this
 * task: it stands for the batch and ends when its children, one task for each chunk, have ended.
 */
export const batchPredictions = defineTask({
  name: 'ml.batch_predictions',
  queue: 'batch',
  args: z
    .strictObject({
      user_ids: longList(entityId).refine(({ length }) => length > 0, { error: 'must have at least one entry' }),
      health_metrics_list: longList(healthMetrics).optional(),
      /** `name` or `name@version` */
      model: z.string().max(128).optional(),
    })
    .refine(({ user_ids, health_metrics_list: metrics }) => !metrics || metrics.length === user_ids.length, {
      path: ['health_metrics_list'],
      error: 'must have one entry for each of user_ids',
    }),
  result: z.strictObject({
    batch_id: z.uuid(),
    total: z.int(),
    succeeded: z.int(),
    failed: z.int(),
    cancelled: z.int(),
    results: z.string().describe('Path of the outcome of each row'),
  }),
})
