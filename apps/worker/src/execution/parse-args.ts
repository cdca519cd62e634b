import type { ClaimedTask } from '#libs/database'
import { MemoryGuardError, type Settled } from '#libs/platform'
import type { TaskContract } from '#libs/tasks/contracts'
import type { StartedTask } from './task-handler.js'

/** Parses the arguments of a task by its contract; ids of a person or a prediction are stored in columns. */
export const parseArgs = (contract: TaskContract, task: ClaimedTask): Settled<StartedTask> => {
  const { userId, predictionId } = task
  const { user_id: hasUser, prediction_id: hasPrediction } = contract.args.shape
  const parsed = contract.args.safeParse({
    ...task.args,
    ...(hasUser && userId !== null && { user_id: Number(userId) }),
    ...(hasPrediction && predictionId !== null && { prediction_id: Number(predictionId) }),
  })
  return parsed.success
    ? { value: { ...task, args: parsed.data } }
    : { error: new MemoryGuardError('REQUEST_INVALID', 'Its arguments are not valid.') }
}
