import {
  builtinError,
  celeryError,
  isUsableText,
  requestText,
  type CeleryMessage,
  type PythonException,
} from '#libs/celery'
import { checkPrediction } from '#libs/calls'
import {
  CeleryCallRepository,
  HealthMetricsRepository,
  stampKey,
  type NewCeleryCall,
  type ResolvedPrediction,
} from '#libs/database'
import { ModelCatalogue } from '#libs/ml/manifest'
import { CONFIG, LOGGER, MemoryGuardError, type Config, type Logger, type QueueName } from '#libs/platform'
import { checkArgs, toNewTask, type PreparedCall } from '#libs/tasks'
import { batchPredictions, catalogue, isTaskName, processPrediction } from '#libs/tasks/contracts'
import { Inject, Injectable } from '@nestjs/common'
import type { TaskName } from './celery-tasks.js'
import { bindArguments } from './python-call.js'

/** A call of a batch, which is more than a task. */
export interface BatchCallPlan {
  readonly message: CeleryMessage
  readonly people: {
    readonly user_ids: readonly number[]
    readonly health_metrics_list?: readonly unknown[] | undefined
  }
}

/** What to store for a group of messages: first `calls`, in their order, then each of `batches`. */
export interface CallPlan {
  readonly calls: readonly NewCeleryCall[]
  readonly batches: readonly BatchCallPlan[]
}

/** What a call is checked against, besides its own arguments. */
interface Known {
  readonly predictions: ReadonlyMap<number, ResolvedPrediction>
  /** The person of each number of a caller's that calls before it in the same plan have used. */
  readonly claimed: Map<number, number>
  readonly recorded: ReadonlyMap<number, Readonly<Record<string, number>>>
}

interface BoundCall {
  readonly message: CeleryMessage
  readonly task: TaskName
  readonly args: Readonly<Record<string, unknown>>
}

/** Raised for the exception with which a call ends instead of becoming a task. */
class CallRejected extends Error {
  constructor(readonly exception: PythonException) {
    super(exception.type)
  }
}

/** Of a number for which the prediction of another person is stored. */
export const foreignPrediction = (number: number): PythonException =>
  builtinError('ValueError', `Prediction ${number} belongs to another user_id`)

const rejected = (message: string): CallRejected => new CallRejected(builtinError('ValueError', message))

/** Where a fault is. Names of metrics are the caller's, and as long as the caller likes. */
const shownPath = (path: readonly PropertyKey[]): string =>
  path.map((part) => String(part).slice(0, maxNameLength)).join('.')

/** Longest part of a name that a failure repeats. */
const maxNameLength = 64

/** Decides what becomes of calls: their tasks, or the exceptions that their callers get. */
@Injectable()
export class CallPlanner {
  constructor(
    private readonly calls: CeleryCallRepository,
    private readonly catalogue: ModelCatalogue,
    private readonly measurements: HealthMetricsRepository,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** @throws an error of the database alone. `queues` are those that this worker consumes. */
  async plan(messages: readonly CeleryMessage[], queues: readonly QueueName[]): Promise<CallPlan> {
    const failed: NewCeleryCall[] = []
    const bound: BoundCall[] = []
    for (const message of messages) {
      const outcome = await this.bind(message)
      if ('exception' in outcome) failed.push(failedCall(message, outcome.exception))
      else bound.push({ message, ...outcome })
    }
    const single = bound.filter(({ task }) => task !== batchPredictions.name)
    const known = await this.readKnown(single)
    const planned = single.map((call) => this.planTask(call, known, queues))
    return {
      calls: [...failed, ...planned],
      batches: bound
        .filter(({ task }) => task === batchPredictions.name)
        .map(({ message, args }) => ({ message, people: args as unknown as BatchCallPlan['people'] })),
    }
  }

  private async bind(message: CeleryMessage) {
    const { task } = message
    if (!isTaskName(task)) return { exception: celeryError('NotRegistered', task) }
    const outcome = bindArguments(task, message)
    if ('exception' in outcome) return outcome
    const given = outcome.args
    const checked = await checkArgs(catalogue[task], given)
    if (checked.data) return { task, args: given }
    const words = checked.issues.map(({ path, message: fault }) => [shownPath(path), fault].filter(Boolean).join(' '))
    return { exception: builtinError('ValueError', words.slice(0, 10).join('; ')) }
  }

  /** What is stored of the predictions and people that the calls name. */
  private async readKnown(calls: readonly BoundCall[]): Promise<Known> {
    // The number of a new prediction is compared when it is stored.
    const older = calls.filter(({ args }) => args['health_metrics'] === undefined)
    const numbers = new Set(
      older.flatMap(({ args }) => (typeof args['prediction_id'] === 'number' ? [args['prediction_id']] : [])),
    )
    const predictions = await this.calls.resolvePredictions([...numbers])
    const people = older.flatMap(({ task, args }) => {
      const isPrediction = task === processPrediction.name
      return isPrediction && !mine(predictions, args) ? [Number(args['user_id'])] : []
    })
    const names = people.length > 0 ? this.catalogue.getRiskModel().manifest.inputs.map(({ name }) => name) : []
    const recorded =
      people.length > 0 ? await this.measurements.readLatest(people, names) : new Map<number, Record<string, number>>()
    return { predictions, recorded, claimed: new Map() }
  }

  private planTask({ message, task, args }: BoundCall, known: Known, queues: readonly QueueName[]): NewCeleryCall {
    try {
      const { call, externalId } = this.prepare(task, args, known)
      const { request, eta, expires } = message
      const options = {
        priority: request.priority,
        queue: call.contract.queue === 'every' ? queues[0] : undefined,
        limits: limitsOf(message, this.config.task.maxRetries),
      }
      const newTask = {
        ...toNewTask(call, options),
        ...(eta && { availableAt: eta }),
        ...(expires && { expiresAt: expires }),
      }
      return { ...callOf(message), task: newTask, externalId, parentCall: parentOf(request) }
    } catch (error) {
      if (!(error instanceof CallRejected || error instanceof MemoryGuardError)) {
        this.log.error({ err: error, call: message.id, name: message.task }, 'Celery call not understood')
      }
      return failedCall(message, exceptionOf(error))
    }
  }

  private prepare(
    task: TaskName,
    args: Readonly<Record<string, unknown>>,
    known: Known,
  ): { readonly call: PreparedCall; readonly externalId?: number } {
    if (task === processPrediction.name) return this.preparePrediction(args, known)
    const contract = catalogue[task]
    const { prediction_id: number, user_id: userId, ...rest } = args
    if (number === undefined) {
      return {
        call: { contract, args: rest, userId: userId === undefined ? null : Number(userId), predictionId: null },
      }
    }
    const { external, own } = known.predictions.get(Number(number)) ?? { external: null, own: null }
    const stored = external ?? own
    if (!stored) throw rejected(`Prediction ${Number(number)} not found`)
    return { call: { contract, args: rest, userId: stored.userId, predictionId: stored.id } }
  }

  /**
   * With metrics it is a new prediction, which keeps the caller's number of it. Without, it is the prediction that has
   * this number computed once more, or one of what is recorded of the person.
   */
  private preparePrediction(args: Readonly<Record<string, unknown>>, { predictions, recorded, claimed }: Known) {
    const contract = processPrediction
    const [number, userId] = [Number(args['prediction_id']), Number(args['user_id'])]
    if ((claimed.get(number) ?? userId) !== userId) throw new CallRejected(foreignPrediction(number))
    const given = args['health_metrics'] as Readonly<Record<string, number | string>> | undefined
    const stored = given === undefined ? mine(predictions, args) : undefined
    if (stored) return { call: { contract, args: {}, userId, predictionId: stored.id } }
    const metrics = given ?? recorded.get(userId)
    if (!metrics) {
      throw rejected(
        `health_metrics must be given: prediction ${number} is not stored here, and nothing is recorded of the user_id`,
      )
    }
    const { manifest: _, ...prediction } = checkPrediction(this.catalogue, metrics, undefined)
    claimed.set(number, userId)
    return { call: { contract, args: {}, userId, predictionId: null, prediction }, externalId: number }
  }
}

/** The stored prediction of this person that has the number, of the caller's or of ours. */
const mine = (predictions: ReadonlyMap<number, ResolvedPrediction>, args: Readonly<Record<string, unknown>>) => {
  const { external, own } = predictions.get(Number(args['prediction_id'])) ?? { external: null, own: null }
  return [external, own].find((stored) => stored !== null && stored.userId === args['user_id']) ?? undefined
}

/** The call that this one follows, if it can be one that is stored. */
const parentOf = ({ parentId }: CeleryMessage['request']): string | null =>
  parentId !== null && isUsableText(parentId) ? parentId : null

/** Limits of this call; retries that another worker has used are not used again. */
const limitsOf = (
  { limits: { hardSeconds, softSeconds }, request: { retries } }: CeleryMessage,
  maxRetries: number,
) => {
  const limits = {
    ...(hardSeconds !== undefined && { time_limit_seconds: hardSeconds }),
    ...(softSeconds !== undefined && { soft_time_limit_seconds: softSeconds }),
    ...(retries > 0 && { max_retries: Math.max(0, maxRetries - retries) }),
  }
  return Object.keys(limits).length > 0 ? limits : undefined
}

const isPlain = (value: unknown): boolean => ['string', 'number', 'bigint', 'boolean'].includes(typeof value)

/** What is stored of every call. */
export const callOf = ({ id, task, request }: CeleryMessage) => ({
  celeryId: id,
  name: task,
  celeryQueue: request.queue,
  request: requestText(request),
  stamps: request.stampedHeaders.flatMap((header) =>
    [request.stamps[header]].flat().flatMap((value) => (isPlain(value) ? [stampKey(header, String(value))] : [])),
  ),
})

/** A call that ends with an exception. */
export const failedCall = (message: CeleryMessage, exception: PythonException): NewCeleryCall => ({
  ...callOf(message),
  failure: exception,
})

/** Invalid input is a ValueError, in the words of the REST API. */
export const exceptionOf = (error: unknown): PythonException => {
  if (error instanceof CallRejected) return error.exception
  if (!(error instanceof MemoryGuardError)) {
    return builtinError('RuntimeError', 'The call could not be stored; see the log of the worker')
  }
  const words = error.faults.map(({ pointer, message }) => `${shownPath(pointer.split('/').slice(-1))} ${message}`)
  return builtinError('ValueError', words.length > 0 ? words.slice(0, 10).join('; ') : error.message)
}
