import { z } from 'zod'
import { defineTask } from './define-task.js'

/** Result from inside a worker: that a queue is consumed, by whom, with which versions and models. */
export const healthCheck = defineTask({
  name: 'ml.health_check',
  queue: 'every',
  args: z.strictObject({}),
  result: z.strictObject({
    worker: z.string(),
    versions: z.record(z.string(), z.string()),
    models: z.array(z.string()),
  }),
})
