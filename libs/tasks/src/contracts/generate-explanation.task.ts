import { z } from 'zod'
import { defineTask } from './define-task.js'
import { entityId } from './process-prediction.task.js'

/**
 * How much each input moved one output of a prediction. It needs the stored inputs and the model that was fixed at
 * submission, not the result: so it is queued at once, and neither it nor the prediction waits for the other.
 */
export const generateExplanation = defineTask({
  name: 'ml.generate_explanation',
  queue: 'explanations',
  /** `output` names one of the model's outputs; default: its primary one. */
  args: z.strictObject({ prediction_id: entityId, output: z.string().min(1).max(64).optional() }),
  /** Without the person's values, which stand with the explanation. */
  result: z.strictObject({
    prediction_id: entityId,
    output_name: z.string(),
    method: z.string(),
    space: z.string(),
    base_value: z.number(),
    output: z.number(),
    contributions: z.array(z.strictObject({ feature: z.string(), contribution: z.number() })),
  }),
})
