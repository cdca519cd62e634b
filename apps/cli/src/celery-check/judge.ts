import { hasFacts } from '../report/section.js'
import type {
  AnsweringWorker,
  BrokerContents,
  CeleryFacts,
  DatabaseState,
  QueueState,
  RedisState,
} from './celery-facts.js'
import { describeWaiting } from './waiting-tasks.js'

/** What does not work, and what to know besides: each a sentence with what to do. */
export interface Verdict {
  readonly faults: readonly string[]
  readonly notes: readonly string[]
}

/** Messages that could not be read within this time are a fault, older ones a note, in seconds. */
const recentSeconds = 3_600
/** Results that are not published for so long are late, in seconds. */
const lateSeconds = 30

/** Judges what was seen. `isTask` says whether we have a task of this name. */
export const judge = (facts: CeleryFacts, isTask: (name: string) => boolean): Verdict => {
  const { broker, result_backend: backend, contents, database } = facts
  const faults = [broker, backend, contents, database].flatMap((part) =>
    part !== null && !hasFacts(part) ? [part.unavailable] : [],
  )
  const notes: string[] = []
  if (hasFacts(broker)) notes.push(...settingsOf(broker, 'The broker of Celery', 'calls', /^allkeys-/))
  if (hasFacts(backend))
    notes.push(...settingsOf(backend, 'The result backend of Celery', 'results', /^(allkeys|volatile)-/))
  if (contents && hasFacts(contents)) {
    const waiting = describeWaiting(contents, facts.served_queues, isTask)
    faults.push(
      ...contents.queues.flatMap(unreadableIn),
      ...waiting.faults,
      ...lostIn(contents),
      ...repeatedIn(contents),
    )
    notes.push(...workersOf(contents, isTask), ...waiting.notes)
  }
  if (database && hasFacts(database)) {
    faults.push(...arrearsOf(database))
    notes.push(...oldDeadLetters(database))
  }
  return { faults, notes }
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

/** Redis may evict results under every policy that evicts, for they expire; calls do not. */
const settingsOf = (redis: RedisState, name: string, what: string, evicting: RegExp): readonly string[] => [
  ...((redis.max_memory_bytes ?? 0) > 0 && evicting.test(redis.eviction_policy)
    ? [
        `${name} may evict ${what} (maxmemory-policy ${redis.eviction_policy}), and they are lost then. Set it to noeviction.`,
      ]
    : []),
  ...(redis.persistence === 'none'
    ? [`${name} keeps nothing on disk: ${what} in it are lost when it ends. Set appendonly to yes.`]
    : []),
]

const unreadableIn = ({ name, unreadable }: QueueState): readonly string[] =>
  Object.entries(unreadable).map(
    ([reason, count]) => `${plural(count, 'message')} in ${name} cannot be read: ${reason}`,
  )

const celeryWorkersOf = ({ workers }: BrokerContents) => workers.filter(({ is_memoryguard: isOurs }) => !isOurs)

/** Messages that a Celery worker took and left when it died: only Celery's workers give these back. */
const lostIn = (contents: BrokerContents): readonly string[] => {
  const { messages, by_memoryguard: ours, oldest_seconds: seconds } = contents.unacked
  const others = messages - ours
  if (others <= 0 || celeryWorkersOf(contents).length > 0) return []
  return [
    `${plural(others, 'message')} (the oldest taken ${seconds ?? 0} s ago) ${others === 1 ? 'is' : 'are'} held by Celery workers that do not reply. If they have ended, start one of them once more: it gives the messages back after its visibility_timeout.`,
  ]
}

/** Messages for later that a Celery worker holds: Redis hands them out again after the visibility timeout. */
const repeatedIn = (contents: BrokerContents): readonly string[] => {
  const { messages, last_in_seconds: last } = contents.unacked.later
  const shortest = celeryWorkersOf(contents).toSorted((one, other) => timeoutOf(one) - timeoutOf(other))[0]
  if (!shortest || last === null || last <= timeoutOf(shortest)) return []
  return [
    `${plural(messages, 'message')} with an eta of up to ${last} s from now ${messages === 1 ? 'is' : 'are'} held by Celery workers, and ${shortest.name} hands them out again after ${timeoutOf(shortest)} s: they run more than once. Raise visibility_timeout there, or stop its workers, which gives the messages to ours.`,
  ]
}

const timeoutOf = (worker: AnsweringWorker): number => worker.visibility_timeout_seconds ?? Infinity

/** Our calls that Celery's workers take, their timeouts, and whether one of ours is there. */
const workersOf = (contents: BrokerContents, isTask: (name: string) => boolean): readonly string[] => {
  const isServed = contents.workers.some((worker) => worker.is_memoryguard)
  return [
    ...(isServed ? [] : ['No MemoryGuard worker replies here. Start one with CELERY_BROKER_URL.']),
    ...celeryWorkersOf(contents).flatMap((worker) => [
      ...(worker.tasks.some((task) => isTask(task))
        ? [`${worker.name} (${worker.software}) takes ml.* calls too: it computes them with the old code.`]
        : []),
      ...(worker.acks_late && timeoutOf(worker) < (worker.time_limit_seconds ?? Infinity)
        ? [
            `${worker.name} hands out again after ${timeoutOf(worker)} s what it has not finished: its longer tasks run twice. Raise visibility_timeout above its time limit.`,
          ]
        : []),
    ]),
  ]
}

const arrearsOf = (state: DatabaseState): readonly string[] => {
  const { newest_dead_letters: newest, results_not_published: late, oldest_result_seconds: seconds } = state
  const recent = newest.filter(({ seconds_ago: ago }) => ago <= recentSeconds)
  const reasons = [...new Set(recent.map(({ reason }) => reason))]
  return [
    ...(recent.length > 0 ? [`Messages of the last hour could not be read: ${reasons.join(' ')}`] : []),
    ...(late > 0 && (seconds ?? 0) > lateSeconds
      ? [
          `${plural(late, 'result')} ${late === 1 ? 'is' : 'are'} not published, the oldest for ${seconds} s. Is a worker with CELERY_BROKER_URL running, and can it write to CELERY_RESULT_BACKEND?`,
        ]
      : []),
  ]
}

const oldDeadLetters = ({ dead_letters: count, newest_dead_letters: newest }: DatabaseState): readonly string[] => {
  const [last] = newest
  if (!last || last.seconds_ago <= recentSeconds) return []
  return [
    `${plural(count, 'message')} of the last 7 days could not be read, the last one ${Math.round(last.seconds_ago / 3600)} h ago: ${last.reason}`,
  ]
}
