import type { NewTask, PredictionRepository, StoredSubmission } from '#libs/database'
import { MemoryGuardError, type InputFault } from '#libs/platform'
import { z } from 'zod'
import { AsyncResult, type AsyncResultOf, type ReadResult, type ResultParts } from './async-result.js'
import { checkArgs } from './checked-args.js'
import { batchPredictions } from '../contracts/batch-predictions.task.js'
import { catalogue, isTaskName } from '../contracts/catalogue.js'
import type { ArgsOf, ResultOf, TaskContract } from '../contracts/define-task.js'
import { processPrediction } from '../contracts/process-prediction.task.js'
import { groupedStore, type Submissions } from './submissions.js'
import {
  invalid,
  mustStartNow,
  toNewTask,
  type CallOptions,
  type CheckedPrediction,
  type PreparedCall,
} from './task-call.js'

/** Checks metrics; throws MODEL_UNKNOWN or MODEL_INPUT_INVALID with pointers into the arguments. */
export type PredictionCheck = (
  healthMetrics: Readonly<Record<string, number | string>>,
  model: string | undefined,
) => CheckedPrediction

/** People of a batch, as the contract has them. */
export type BatchCall = ArgsOf<typeof batchPredictions>

/** A submission that may be waited for. */
interface Wait {
  readonly waitSeconds?: number
  readonly signal?: AbortSignal
}

/** Submits a batch, whose rows are more than its task. */
export type BatchSubmit = (
  call: BatchCall,
  caller: Pick<CallOptions, 'submittedBy' | 'traceparent' | 'idempotencyKey' | 'idempotencyScope'>,
  wait: Wait,
) => Promise<StoredSubmission>

/** What the client needs. */
export interface TaskClientParts {
  readonly results: ResultParts
  readonly readResult: ReadResult
  readonly predictions: PredictionRepository
  readonly submissions: Submissions
  readonly checkPrediction: PredictionCheck
  readonly submitBatch: BatchSubmit
}

type Camel<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name
/** Arguments in the words of TypeScript: `userId` for `user_id`. Members of values keep their names. */
export type CallArgs<Contract extends TaskContract> = {
  [Name in keyof z.input<Contract['args']> as Name extends string ? Camel<Name> : never]: z.input<
    Contract['args']
  >[Name]
}

/** A task that can be called. */
export interface CallableTask<Contract extends TaskContract> {
  readonly contract: Contract
  readonly delay: (args: CallArgs<Contract>) => Promise<AsyncResultOf<Contract>>
  readonly applyAsync: (args: CallArgs<Contract>, options?: CallOptions) => Promise<AsyncResultOf<Contract>>
}

/**
 * Submits tasks. All arguments are checked before anything is stored, and a call returns when the task is stored durably
 * in the database; then it is enqueued.
 *
 *     const processPrediction = client.of(contracts.processPrediction)
 *     const result = await processPrediction.delay({ userId: 123, healthMetrics: { mmse_score: 24, age: 72 } })
 *     await result.get({ timeoutSeconds: 10 })
 */
export class TaskClient {
  private readonly store = groupedStore((tasks: readonly NewTask[]) => this.parts.results.calls.create(tasks))

  constructor(private readonly parts: TaskClientParts) {}

  of<Contract extends TaskContract>(contract: Contract): CallableTask<Contract> {
    const applyAsync = async (args: CallArgs<Contract>, options: CallOptions = {}) =>
      this.send(await this.prepare(contract, toSnakeCase(args)), options)
    return { contract, applyAsync, delay: (args) => applyAsync(args) }
  }

  /** @throws MemoryGuardError TASK_UNKNOWN, naming the tasks there are. */
  getContract(name: string, pointer = '/name'): TaskContract {
    if (isTaskName(name)) return catalogue[name]
    const names = Object.keys(catalogue).join(', ')
    throw new MemoryGuardError('TASK_UNKNOWN', `There is no such task. There are: ${names}.`, {
      faults: [{ pointer, message: `must be one of ${names}` }],
    })
  }

  /**
   * Checks arguments against the contract and the database; stores nothing. `boundTo` is the one person whom the caller
   * may call tasks about, or null; it is checked before anything is compared with what is stored.
   * @throws MemoryGuardError REQUEST_INVALID, MODEL_UNKNOWN or MODEL_INPUT_INVALID, with pointers below `/args`;
   * RESOURCE_NOT_FOUND for a prediction beyond `boundTo`, stored or not; ACCESS_ROLE_MISSING for another person.
   */
  async prepare<Contract extends TaskContract>(
    contract: Contract,
    given: unknown,
    boundTo: number | null = null,
  ): Promise<PreparedCall<Contract>> {
    const checked = await checkArgs(contract, given)
    if (!checked.data) throw invalid(checked.issues.flatMap(toFaults))
    const known = knownArgs.parse(checked.data)
    const { health_metrics: healthMetrics, model, user_id: userId = null, prediction_id: predictionId, ...args } = known
    if (predictionId === undefined) mustBeAbout(userId, boundTo)
    else {
      const stored = await this.parts.predictions.find(predictionId)
      if (boundTo !== null && ((userId ?? boundTo) !== boundTo || stored?.userId !== boundTo)) {
        throw new MemoryGuardError('RESOURCE_NOT_FOUND', 'There is no such prediction.')
      }
      if (!stored || (userId !== null && stored.userId !== userId)) {
        throw invalid([
          { pointer: '/args/prediction_id', message: 'must be a prediction that is stored, of this person' },
        ])
      }
      if (healthMetrics) this.checkSame(healthMetrics, stored)
      return { contract, args, userId: stored.userId, predictionId: stored.id }
    }
    if (contract.name !== processPrediction.name || !healthMetrics) {
      return { contract, args: { ...args, ...(model !== undefined && { model }) }, userId, predictionId: null }
    }
    return { contract, args, userId, predictionId: null, prediction: this.check(healthMetrics, model) }
  }

  /**
   * Submits a checked call, and waits for its end if asked to.
   * @throws {MemoryGuardError} REQUEST_INVALID for the options, with pointers in the words of the REST API;
   * TASK_STATE_CONFLICT when another task has the id; IDEMPOTENCY_KEY_REUSED.
   */
  async submit(call: PreparedCall, options: CallOptions, wait: Wait = {}): Promise<StoredSubmission> {
    const { submissions, submitBatch } = this.parts
    if (call.contract.name === batchPredictions.name) {
      mustStartNow(options)
      return submitBatch(call.args as BatchCall, options, wait)
    }
    const { waitSeconds, signal } = wait
    return (await submissions.submit(this.store, toNewTask(call, options), waitSeconds, signal)).stored
  }

  private async send<Contract extends TaskContract>(
    call: PreparedCall<Contract>,
    options: CallOptions,
  ): Promise<AsyncResultOf<Contract>> {
    const { taskId, isNew, tasks } = await this.submit(call, options)
    const isLater = tasks.some(({ delayMs }) => delayMs > 0)
    const result = this.result(call.contract, taskId, isLater ? 'scheduled' : 'queued')
    return isNew ? result : result.refresh()
  }

  /** The result of a task that was called before. */
  result<Contract extends TaskContract>(
    contract: Contract,
    id: string,
    state: AsyncResult['state'] = 'queued',
  ): AsyncResultOf<Contract> {
    const schema = contract.result as z.ZodType<ResultOf<Contract>>
    return new AsyncResult(id, this.parts.results, this.parts.readResult, state, schema)
  }

  private check(healthMetrics: Record<string, number | string>, model: string | undefined): CheckedPrediction {
    try {
      return this.parts.checkPrediction(healthMetrics, model)
    } catch (error) {
      if (!(error instanceof MemoryGuardError)) throw error
      const faults = error.faults.map(({ pointer, message }) => ({ pointer: `/args${pointer}`, message }))
      throw new MemoryGuardError(error.code, error.message, { faults, cause: error })
    }
  }

  /** Metrics that are sent along with a stored prediction must be its own: it is computed from what is stored. */
  private checkSame(
    given: Record<string, number | string>,
    stored: { model: string; healthMetrics: Readonly<Record<string, number>> },
  ): void {
    const { healthMetrics } = this.check(given, stored.model)
    const names = new Set([...Object.keys(healthMetrics), ...Object.keys(stored.healthMetrics)])
    if ([...names].some((name) => healthMetrics[name] !== stored.healthMetrics[name])) {
      const message = 'must be those stored with the prediction; leave out `prediction_id` for a new prediction'
      throw invalid([{ pointer: '/args/health_metrics', message }])
    }
  }
}

const mustBeAbout = (userId: number | null, boundTo: number | null): void => {
  if (boundTo === null || userId === boundTo) return
  throw new MemoryGuardError('ACCESS_ROLE_MISSING', 'This key is bound to one person, and the task is not about them.')
}

/** The arguments that mean the same in every contract. */
const knownArgs = z.looseObject({
  user_id: z.number().optional(),
  prediction_id: z.number().optional(),
  health_metrics: z.record(z.string(), z.union([z.number(), z.string()])).optional(),
  model: z.string().optional(),
})

/** Each unknown argument is a fault of its own. */
const toFaults = (issue: z.core.$ZodIssue): InputFault[] => {
  const path = ['args', ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ pointer: pointerOf([...path, key]), message: 'is not an argument of this task' }))
  }
  return [{ pointer: pointerOf(path), message: issue.message }]
}

/** Most characters of a name in a pointer: a name is the caller's, of any length. */
const maxName = 128

const pointerOf = (path: readonly PropertyKey[]): string =>
  path.map((key) => `/${String(key).slice(0, maxName).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

const toSnakeCase = (args: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(args).map(([name, value]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  )
