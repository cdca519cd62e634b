import type { TaskFilter } from '#libs/database'
import type { Principal } from '../access/access.js'
import type { TaskConditions } from './task-filter.schemas.js'

/** The filter of what fits some conditions and is within the reach of a caller; null if that can be nothing. */
export const toTaskFilter = (conditions: TaskConditions, principal: Principal): TaskFilter | null => {
  const { id, user_id: wanted, prediction_id: prediction } = conditions
  const userId = principal.userId ?? wanted
  if (wanted !== undefined && wanted !== userId) return null
  const numbered = id !== undefined && /^\d+$/.test(id) ? Number(id) : undefined
  if (numbered !== undefined && prediction !== undefined && numbered !== prediction) return null
  return {
    name: conditions.name,
    states: conditions.state,
    queue: conditions.queue,
    worker: conditions.worker,
    since: conditions.since,
    until: conditions.until,
    userId,
    predictionId: numbered ?? prediction,
    batchId: conditions.batch_id,
    model: conditions.model,
    errorCode: conditions.error_code,
    familyOf: numbered === undefined ? id : undefined,
  }
}
