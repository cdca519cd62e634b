import type { QueueStanding } from '#libs/tasks'

/** What an autoscaler is to know of a queue. */
export type ScalingFacts = Pick<QueueStanding, 'isPaused' | 'waiting' | 'depth' | 'slots' | 'busy'> & {
  readonly consumers: number
  /** Time for which a task has kept a slot busy lately; null if none has run. */
  readonly secondsOfTask: number | null
}

/**
 * How many workers a queue needs: enough for what runs, and to clear what waits within `targetSeconds`. It goes by how
 * long tasks take, not by how many have ended: of a queue that was idle or purged, that says nothing about its workers.
 */
export const desiredWorkers = (
  { isPaused, waiting, depth, secondsOfTask, slots, busy, consumers }: ScalingFacts,
  targetSeconds: number,
): number => {
  const due = isPaused ? 0 : waiting
  const running = depth.running ?? 0
  if (due === 0 && running === 0) return 0
  if (consumers === 0) return 1
  const forRunning = Math.max(1, Math.ceil((consumers * Math.min(busy, slots)) / Math.max(1, slots)))
  if (due === 0) return forRunning
  // What runs of other queues keeps its slots.
  const slotsOfWorker = Math.max(0, slots - Math.max(0, busy - running)) / consumers
  // Nobody knows how long it takes: one more worker, and then another look.
  if (secondsOfTask === null || slotsOfWorker === 0) return Math.max(forRunning, consumers + 1)
  return Math.max(forRunning, Math.ceil((due * secondsOfTask) / (targetSeconds * slotsOfWorker)))
}
