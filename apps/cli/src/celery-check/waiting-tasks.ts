import type { BrokerContents } from './celery-facts.js'
import { isLikeOurs } from './summarise-messages.js'

/**
 * What is to be said of a task that waits: it is ours, in a queue that our workers serve (`unserved`) or in another
 * (`elsewhere`), and nobody takes it; it is called like ours (`unknown`) or otherwise (`foreign`), and nobody takes it; it
 * is not ours, and a Celery worker takes it (`taken`).
 */
type Kind = 'unserved' | 'elsewhere' | 'unknown' | 'foreign' | 'taken'

const sentences: Readonly<Record<Kind, (task: string, queues: string) => string>> = {
  unserved: (task, queues) =>
    `${task} waits in ${queues}, and no worker that replies takes it. Start a worker with CELERY_BROKER_URL.`,
  elsewhere: (task, queues) =>
    `${task} waits in ${queues}, which no worker serves. Add ${queues} to CELERY_QUEUES of the workers.`,
  unknown: (task, queues) =>
    `${task} waits in ${queues}, and there is no such task: its callers get NotRegistered. Correct the name.`,
  foreign: (task, queues) =>
    `${task} waits in ${queues}, and no worker that replies takes it. Start a Celery worker that has it, or stop sending it.`,
  taken: (task, queues) =>
    `${task} in ${queues} is taken by Celery workers alone: keep one of them until nobody sends it any more.`,
}

/** Sentences about the tasks that wait, by kind: what is `taken` works, everything else does not. */
export const describeWaiting = (
  { queues, workers }: Pick<BrokerContents, 'queues' | 'workers'>,
  served: readonly string[],
  isTask: (name: string) => boolean,
): { readonly faults: readonly string[]; readonly notes: readonly string[] } => {
  const sorted = new Map<Kind, Map<string, string[]>>()
  for (const { name, tasks } of queues) {
    const taken = new Set(workers.filter((worker) => worker.queues.includes(name)).flatMap((worker) => worker.tasks))
    for (const task of Object.keys(tasks)) {
      const kind = kindOf(task, { isTask: isTask(task), isTaken: taken.has(task), isServed: served.includes(name) })
      if (!kind) continue
      const waiting = sorted.get(kind) ?? new Map<string, string[]>()
      sorted.set(kind, waiting.set(task, [...(waiting.get(task) ?? []), name]))
    }
  }
  const linesOf = (kind: Kind) =>
    [...(sorted.get(kind) ?? [])].map(([task, names]) => sentences[kind](task, names.join(', ')))
  return {
    faults: (['unserved', 'elsewhere', 'unknown', 'foreign'] as const).flatMap(linesOf),
    notes: linesOf('taken'),
  }
}

const kindOf = (
  task: string,
  { isTask, isTaken, isServed }: { readonly isTask: boolean; readonly isTaken: boolean; readonly isServed: boolean },
): Kind | undefined => {
  if (isTaken) return isTask ? undefined : 'taken'
  if (isTask) return isServed ? 'unserved' : 'elsewhere'
  return isLikeOurs(task) ? 'unknown' : 'foreign'
}
