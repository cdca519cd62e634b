import { isTerminal } from '#libs/tasks/contracts'
import type { BatchView } from './batch-types.js'
import type { TaskProgress } from '../tasks/task-progress.js'

/** How far a batch is, from the counts of its chunks. */
export const batchProgress = (view: BatchView): TaskProgress => {
  const { total, succeeded, failed, cancelled } = view
  const done = succeeded + failed + cancelled
  return {
    percent: total === 0 ? 100 : Math.floor((1_000 * done) / total) / 10,
    stage: 'computing',
    done,
    total,
    etaSeconds: etaSeconds(view),
  }
}

/** Time for what is left at the pace so far. Refused rows cost nothing, so that they do not count. */
const etaSeconds = ({ state, elapsedSeconds, total, succeeded, failed }: BatchView): number | null => {
  if (isTerminal(state)) return 0
  if (elapsedSeconds === null || succeeded === 0) return null
  const seconds = Math.max(0.001, elapsedSeconds)
  return Math.ceil(((total - succeeded - failed) * seconds) / succeeded)
}
