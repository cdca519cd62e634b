import type { NewPrediction } from '#libs/database'
import { v7 as uuidv7 } from 'uuid'

/** A submission as the repository takes it. */
export const newPrediction = (more: Partial<NewPrediction> = {}): NewPrediction => ({
  taskId: uuidv7(),
  userId: 7,
  model: 'impairment-screen@1',
  healthMetrics: { mmse_score: 24 },
  warnings: [],
  ...more,
})
