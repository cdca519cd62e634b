import { PredictionRepository, type CreatedTask, type NewTask } from '#libs/database'
import { MemoryGuardError, MicroBatcher, type InputFault } from '#libs/platform'
import { z } from 'zod'
import { AsyncResult, type ResultOf, type ResultParts } from './async-result.js'
import { checkArgs } from './checked-args.js'
import { batchPredictions } from './contracts/batch-predictions.task.js'
import { catalogue, isTaskName } from './contracts/catalogue.js'
import type { TaskContract } from './contracts/define-task.js'
import { processPrediction } from './contracts/process-prediction.task.js'
import { Dispatcher } from './dispatcher.js'
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
export type BatchCall = z.output<typeof batchPredictions.args>

/** Stores a batch, which is no single row, and has it queued; answers the id of its task. */
export type BatchSender = (call: BatchCall, options: CallOptions) => Promise<string>

/** What the client needs. */
export interface TaskClientParts extends ResultParts {
  readonly predictions: PredictionRepository
  readonly dispatcher: Dispatcher
  readonly checkPrediction: PredictionCheck
  readonly sendBatch: BatchSender
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
  readonly delay: (args: CallArgs<Contract>) => Promise<ResultOf<Contract>>
  readonly applyAsync: (args: CallArgs<Contract>, options?: CallOptions) => Promise<ResultOf<Contract>>
}

/**
 * Calls tasks. Everything is checked before anything is stored, and the task stands in the database, safe against a
 * crash, before a call returns; then it is queued.
 *
 *     const processPrediction = client.of(contracts.processPrediction)
 *     const result = await processPrediction.delay({ userId: 123, healthMetrics: { mmse_score: 24, age: 72 } })
 *     await result.get({ timeoutSeconds: 10 })
 */
export class TaskClient {
  private readonly inserts: MicroBatcher<NewTask, CreatedTask>

  constructor(private readonly parts: TaskClientParts) {
    this.inserts = new MicroBatcher({
      maxSize: 128,
      maxInFlight: 2,
      maxWaitMs: 2,
      flush: async (tasks) => (await parts.calls.create(tasks)).map((value) => ({ value })),
    })
  }

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
   * Stores a checked call and has it queued.
   * @throws MemoryGuardError REQUEST_INVALID for the options, with pointers in the words of the REST API;
   * TASK_STATE_CONFLICT if another task has the id; IDEMPOTENCY_KEY_REUSED.
   */
  async send<Contract extends TaskContract>(
    call: PreparedCall<Contract>,
    options: CallOptions = {},
  ): Promise<ResultOf<Contract>> {
    if (call.contract.name === batchPredictions.name) {
      mustStartNow(options)
      const id = await this.parts.sendBatch(call.args as BatchCall, options)
      return this.result(call.contract, id).refresh()
    }
    const task = toNewTask(call, options)
    const created = await this.inserts.add(task)
    switch (created.kind) {
      case 'taken':
        throw new MemoryGuardError('TASK_STATE_CONFLICT', 'There is a task with this id already.')
      case 'gone':
        throw new MemoryGuardError('RESOURCE_GONE', 'The prediction was erased.')
      case 'known':
        if (created.hash !== task.idempotency?.hash) {
          throw new MemoryGuardError(
            'IDEMPOTENCY_KEY_REUSED',
            'This idempotency key was used with another call. Use a new key for a new call.',
          )
        }
        return this.result(call.contract, created.id).refresh()
      case 'new':
        void this.parts.dispatcher.dispatch(created.task)
        return this.result(call.contract, task.id, created.task.delayMs > 0 ? 'scheduled' : 'queued')
    }
  }

  /** The result of a task that was called before. */
  result<Contract extends TaskContract>(
    contract: Contract,
    id: string,
    state: AsyncResult['state'] = 'queued',
  ): ResultOf<Contract> {
    const schema = contract.result as z.ZodType<z.output<Contract['result']>>
    return new AsyncResult(id, this.parts, state, schema)
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
