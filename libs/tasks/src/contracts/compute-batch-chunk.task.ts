import { z } from 'zod'
import { defineTask } from './define-task.js'

/** Computes one chunk of a batch. Only the acceptance of a batch makes it; the people stand with the chunk. */
export const computeBatchChunk = defineTask({
  name: 'ml.compute_batch_chunk',
  queue: 'batch',
  args: z.strictObject({ batch_id: z.uuid(), chunk: z.int().nonnegative() }),
  result: z.null(),
})
