import type { QueueName } from '#libs/platform'
import { catalogue } from '#libs/tasks/contracts'

export type TaskName = keyof typeof catalogue

/** The tasks that a worker takes from Celery's queues: those that its own queues carry. */
export const tasksOf = (queues: readonly QueueName[]): readonly TaskName[] =>
  Object.values(catalogue)
    .filter(({ queue }) => (queue === 'every' ? queues.length > 0 : queues.includes(queue)))
    .map(({ name }) => name)
