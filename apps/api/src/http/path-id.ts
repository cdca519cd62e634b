import { entityId } from '#libs/tasks/contracts'
import { z } from 'zod'

/** A positive integer in a path. */
export const pathId = z.coerce.number({ error: 'must be a positive integer' }).pipe(entityId)
