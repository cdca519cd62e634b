import { catalogue, isTaskName } from '#libs/tasks/contracts'
import { z } from 'zod'

/** The name of a task that there is. */
export const taskName = z.string().refine(isTaskName, { error: `must be one of ${Object.keys(catalogue).join(', ')}` })
