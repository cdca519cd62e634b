import {
  BatchRepository,
  ProgressRepository,
  TaskCallRepository,
  TaskRepository,
  type RevokedTask,
  type TaskEntity,
  type TaskProgress,
} from '#libs/database'
import { errorCodes, MemoryGuardError, type ErrorCode } from '#libs/platform'
import { Injectable } from '@nestjs/common'
import type { z } from 'zod'
import { Broker } from '../broker/broker.js'
import type { ResultOf, TaskContract } from '../contracts/define-task.js'
import { celeryStateOf, isTerminal, type CeleryState, type TaskState } from '../contracts/task-states.js'
import { FinishedTasks } from '../finished-tasks.js'

/** What results are read from, and revoked with. */
@Injectable()
export class ResultParts {
  constructor(
    readonly tasks: TaskRepository,
    readonly calls: TaskCallRepository,
    readonly batches: BatchRepository,
    readonly progress: ProgressRepository,
    readonly broker: Broker,
    readonly finished: FinishedTasks,
  ) {}
}

/** Reads the result of a task that has succeeded, wherever it stands: that of a prediction stands with the prediction. */
export type ReadResult = (task: TaskEntity) => Promise<unknown>

/** Longest single wait, in seconds: longer ones are made of several. */
const defaultTimeoutSeconds = 3600

/**
 * A task that has been called, as Celery's `AsyncResult`. `state`, `result` and `traceback` are what was last seen;
 * every method that is awaited reads it again.
 */
export class AsyncResult<Result = unknown> {
  private seen: TaskEntity | undefined
  private resultValue: unknown = null

  constructor(
    readonly id: string,
    private readonly parts: ResultParts,
    private readonly readResult: ReadResult,
    /** State when it was called. */
    private readonly firstState: TaskState,
    private readonly schema?: z.ZodType<Result>,
  ) {}

  get state(): TaskState {
    return this.seen?.state ?? this.firstState
  }

  get celeryState(): CeleryState {
    return celeryStateOf(this.state)
  }

  /** Null until the task was seen to have succeeded. */
  get result(): Result | null {
    return this.seen?.state === 'succeeded' && this.resultValue !== null ? this.parse(this.resultValue) : null
  }

  /** Code and message of the failure, without any value of the input; null without a failure. */
  get traceback(): string | null {
    return this.seen?.errorCode ? `${this.seen.errorCode}: ${this.seen.errorMessage ?? ''}` : null
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND */
  async refresh(): Promise<this> {
    const task = await this.parts.tasks.find(this.id)
    if (!task) throw new MemoryGuardError('RESOURCE_NOT_FOUND', 'There is no such task.')
    this.seen = task
    const isThere = task.state === 'succeeded' && !task.resultForgottenAt
    this.resultValue = isThere ? await this.readResult(task) : null
    return this
  }

  /** The progress; null if the task reports none. @throws {MemoryGuardError} RESOURCE_NOT_FOUND */
  async progress(): Promise<TaskProgress | null> {
    await this.refresh()
    return this.seen ? this.parts.progress.find(this.seen) : null
  }

  async ready(): Promise<boolean> {
    return isTerminal((await this.refresh()).state)
  }

  async successful(): Promise<boolean> {
    return (await this.refresh()).state === 'succeeded'
  }

  /**
   * Waits for the result.
   * @throws MemoryGuardError TASK_NOT_FINISHED after the timeout; RESOURCE_GONE if it was forgotten; the failure of
   * the task, by its code, if it did not succeed.
   */
  async get({ timeoutSeconds = defaultTimeoutSeconds }: { timeoutSeconds?: number } = {}): Promise<Result> {
    if (!(await this.ready())) {
      await this.parts.finished.wait(this.id, timeoutSeconds)
      await this.refresh()
    }
    const task = this.seen
    if (!task || !isTerminal(task.state)) {
      throw new MemoryGuardError('TASK_NOT_FINISHED', `The task has not finished within ${timeoutSeconds} s.`)
    }
    if (task.resultForgottenAt) throw new MemoryGuardError('RESOURCE_GONE', 'The result was forgotten.')
    if (task.state !== 'succeeded') throw new MemoryGuardError(codeOf(task), task.errorMessage ?? 'The task failed.')
    return this.parse(this.resultValue)
  }

  /**
   * Keeps the task from running, or ends it if it runs; `terminate` kills what computes it when it has not ended
   * within the grace. A finished task stays as it is.
   */
  async revoke({ terminate = false }: { terminate?: boolean } = {}): Promise<void> {
    await revokeTasks(this.parts, [this.id], terminate)
    await this.refresh()
  }

  /** Removes the result. @throws MemoryGuardError TASK_STATE_CONFLICT while the task is not finished. */
  async forget(): Promise<void> {
    const forgotten = await this.parts.calls.forget([this.id])
    await this.refresh()
    if (!forgotten.has(this.id)) {
      throw new MemoryGuardError('TASK_STATE_CONFLICT', 'The task has not finished; revoke it first.')
    }
  }

  /** The tasks that this one has called. */
  async children(): Promise<readonly AsyncResult[]> {
    const children = await this.parts.calls.listChildren(this.id)
    return children.map(({ id, state }) => new AsyncResult(id, this.parts, this.readResult, state))
  }

  private parse(result: unknown): Result {
    // Without a schema the result type is unknown, which everything is.
    return this.schema ? this.schema.parse(result) : (result as Result)
  }
}

/** The result of a call of a contract. */
export type AsyncResultOf<Contract extends TaskContract> = AsyncResult<ResultOf<Contract>>

/**
 * Revokes tasks; those that waited are taken out of the broker too, as far as it responds: what it still holds finds
 * nothing to start. A batch is cancelled with its chunks.
 */
export const revokeTasks = async (parts: ResultParts, ids: readonly string[], terminate: boolean): Promise<void> =>
  removeRevoked(parts.broker, await storeRevokes(parts, ids, terminate))

/** The half of `revokeTasks` that the database decides; returns the tasks whose jobs `removeRevoked` takes out. */
export const storeRevokes = async (
  { calls, batches }: Pick<ResultParts, 'calls' | 'batches'>,
  ids: readonly string[],
  terminate: boolean,
): Promise<readonly RevokedTask[]> => {
  const cancelled = new Set(await batches.cancel(ids))
  return calls.revoke(
    ids.filter((id) => !cancelled.has(id)),
    terminate,
  )
}

/** Takes the jobs of revoked tasks that waited out of the broker, as far as it responds. */
export const removeRevoked = (broker: Broker, revoked: readonly RevokedTask[]): Promise<void> =>
  broker.removeIfThere(
    revoked.filter(({ state }) => state === 'cancelled').map((task) => ({ ...task, taskId: task.id })),
  )

const codeOf = ({ errorCode }: TaskEntity): ErrorCode => errorCodes.find((code) => code === errorCode) ?? 'TASK_FAILED'
