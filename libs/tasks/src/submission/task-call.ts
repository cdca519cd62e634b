import type { NewTask, TaskLimits } from '#libs/database'
import { MemoryGuardError, queueNames, type InputFault, type QueueName } from '#libs/platform'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import type { TaskContract } from '../contracts/define-task.js'
import { requestHash } from './request-hash.js'

/** Longest time ahead that a task may be planned, in seconds. */
export const maxAheadSeconds = 31_536_000
/** An `eta` that is past by this process's clock may lie ahead by the database's, which decides when it starts. */
const clockToleranceMs = 900_000
/** The largest priority; 0 is the default, and a smaller number goes first. */
export const maxPriority = 32_767

/** How a task is called, as in Celery's `apply_async`. */
export interface CallOptions {
  /** Start it this much later. */
  readonly countdownSeconds?: number | undefined
  /** Start it at this time. */
  readonly eta?: Date | undefined
  /** Do not start it after this time, or after so many seconds. */
  readonly expires?: Date | number | undefined
  readonly priority?: number | undefined
  /** A UUID version 7, since the history is in the order of the ids. */
  readonly taskId?: string | undefined
  /** One task however often it is called with the same key; `scope` keeps the keys of callers apart. */
  readonly idempotencyKey?: string | undefined
  readonly idempotencyScope?: string | undefined
  readonly queue?: string | undefined
  readonly limits?: TaskLimits | undefined
  /** The task that calls it. */
  readonly parentId?: string | undefined
  /** Id of the API key that calls it. */
  readonly submittedBy?: string | undefined
  /** W3C `traceparent` of the request that calls it, if its trace is recorded. */
  readonly traceparent?: string | undefined
}

/** Health metrics checked against a model, as they are stored. */
export interface CheckedPrediction {
  /** `name@version` */
  readonly model: string
  readonly healthMetrics: Readonly<Record<string, number>>
  readonly warnings: readonly string[]
}

/** A call whose arguments have been checked, before anything is stored. */
export interface PreparedCall<Contract extends TaskContract = TaskContract> {
  readonly contract: Contract
  readonly args: Readonly<Record<string, unknown>>
  /** The person it is about. */
  readonly userId: number | null
  readonly predictionId: number | null
  readonly prediction?: CheckedPrediction
}

/**
 * The row of a checked call.
 * @throws MemoryGuardError REQUEST_INVALID with every fault of the options, in the words of the REST API.
 */
export const toNewTask = (call: PreparedCall, options: CallOptions): NewTask => {
  const { contract, args, userId, predictionId, prediction } = call
  const faults: InputFault[] = []
  const start = startOf(options, faults)
  const end = endOf(options, start, faults)
  const {
    priority = 0,
    taskId,
    idempotencyKey,
    idempotencyScope = '',
    limits,
    parentId,
    submittedBy,
    traceparent,
  } = options
  const queue = queueOf(contract, options.queue, faults)
  if (!(Number.isInteger(priority) && priority >= 0 && priority <= maxPriority)) {
    faults.push({
      pointer: '/priority',
      message: `must be a whole number from 0 to ${maxPriority}; smaller goes first`,
    })
  }
  if (taskId !== undefined && !z.uuid({ version: 'v7' }).safeParse(taskId).success) {
    faults.push({ pointer: '/task_id', message: 'must be a UUID version 7: the history is in the order of the ids' })
  }
  if (faults.length > 0) throw invalid(faults)
  return {
    taskId: taskId ?? uuidv7(),
    name: contract.name,
    queue,
    args,
    userId,
    predictionId,
    prediction,
    priority,
    ...start,
    ...end,
    limits,
    parentId,
    submittedBy,
    traceparent,
    idempotency:
      idempotencyKey === undefined
        ? undefined
        : { scope: idempotencyScope, key: idempotencyKey, hash: hashOf(call, options) },
  }
}

const hashOf = ({ contract, args, userId, predictionId, prediction }: PreparedCall, options: CallOptions): string => {
  const call = [contract.name, args, userId, predictionId, prediction?.healthMetrics, prediction?.model]
  return requestHash([...call, { ...options, submittedBy: undefined, traceparent: undefined }])
}

/**
 * For a call that is more than a row, and starts at once.
 * @throws MemoryGuardError REQUEST_INVALID for every option that it cannot have.
 */
export const mustStartNow = (options: CallOptions): void => {
  const words = { countdownSeconds: 'countdown', eta: 'eta', expires: 'expires', priority: 'priority', queue: 'queue' }
  const more = { taskId: 'task_id', limits: 'limits', parentId: 'parent_id' }
  const given = Object.entries({ ...words, ...more }).filter(
    ([name]) => options[name as keyof CallOptions] !== undefined,
  )
  const faults = given.map(([, word]) => ({ pointer: `/${word}`, message: 'must be left out for a batch' }))
  if (faults.length > 0) throw invalid(faults)
}

type Start = Pick<NewTask, 'availableAt' | 'delaySeconds'>

const startOf = ({ eta, countdownSeconds }: CallOptions, faults: InputFault[]): Start => {
  if (countdownSeconds !== undefined) {
    if (eta) faults.push({ pointer: '/eta', message: 'must be left out where `countdown` is given' })
    if (!(countdownSeconds >= 0 && countdownSeconds <= maxAheadSeconds)) {
      faults.push({ pointer: '/countdown', message: `must be a number of seconds from 0 to ${maxAheadSeconds}` })
    }
    return countdownSeconds > 0 ? { delaySeconds: countdownSeconds } : {}
  }
  if (!eta) return {}
  const aheadMs = eta.getTime() - Date.now()
  if (!(aheadMs >= -clockToleranceMs && aheadMs <= maxAheadSeconds * 1000)) {
    faults.push({ pointer: '/eta', message: 'must be a time that lies ahead, by at most a year' })
  }
  return { availableAt: eta }
}

const endOf = (
  { expires }: CallOptions,
  { availableAt, delaySeconds = 0 }: Start,
  faults: InputFault[],
): Pick<NewTask, 'expiresAt' | 'expiresSeconds'> => {
  if (expires === undefined) return {}
  const now = Date.now()
  const startsAt = availableAt?.getTime() ?? now + delaySeconds * 1000
  const endsAt = typeof expires === 'number' ? now + expires * 1000 : expires.getTime()
  if (!(endsAt > startsAt && endsAt - now <= 2 * maxAheadSeconds * 1000)) {
    faults.push({ pointer: '/expires', message: 'must be a time, or a number of seconds, after the start of the task' })
  }
  return typeof expires === 'number' ? { expiresSeconds: expires } : { expiresAt: expires }
}

const queueOf = ({ queue: own }: TaskContract, asked: string | undefined, faults: InputFault[]): QueueName => {
  const fallback = own === 'every' ? 'predictions' : own
  if (asked === undefined) return fallback
  const queue = queueNames.find((name) => name === asked)
  if (!queue) faults.push({ pointer: '/queue', message: `must be one of ${queueNames.join(', ')}` })
  return queue ?? fallback
}

/** A call that must not be stored. */
export const invalid = (faults: readonly InputFault[]): MemoryGuardError =>
  new MemoryGuardError('REQUEST_INVALID', 'The task cannot be called like this; see `errors`.', { faults })
