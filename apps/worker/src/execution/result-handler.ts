import { TaskRepository, type ClaimedTask } from '#libs/database'
import { MemoryGuardError, type Settled } from '#libs/platform'
import type { TaskContract } from '#libs/tasks/contracts'
import { Inject } from '@nestjs/common'
import type { z } from 'zod'
import type { Answered, TaskContext, TaskHandler } from './task-handler.js'

type Args<Contract extends TaskContract> = z.output<Contract['args']>
type Result<Contract extends TaskContract> = z.output<Contract['result']>

/**
 * A handler whose answer is the result of its task and is stored with it, nowhere else. The tasks of a batch are
 * answered side by side, and one that fails fails alone.
 */
export abstract class ResultHandler<Contract extends TaskContract> implements TaskHandler<Contract, Result<Contract>> {
  abstract readonly contract: Contract

  @Inject(TaskRepository)
  private readonly tasks!: TaskRepository

  /** The result for checked arguments. It may run twice, and what it throws is what became of the attempt. */
  protected abstract answer(args: Args<Contract>, context: TaskContext): Promise<Result<Contract>>

  compute(tasks: readonly ClaimedTask[], context: TaskContext): Promise<readonly Settled<Result<Contract>>[]> {
    return Promise.all(
      tasks.map(async (task) => {
        try {
          return { value: await this.answer(this.argsOf(task), context) }
        } catch (error) {
          return { error }
        }
      }),
    )
  }

  store(answers: readonly Answered<Result<Contract>>[]): Promise<ReadonlySet<string>> {
    return this.tasks.succeed(
      answers.map(({ task, answer }) => ({ id: task.id, attempt: task.attempt, result: answer })),
    )
  }

  /** The arguments as they were given: the ids of person and prediction stand in columns of their own. */
  private argsOf({ args, userId, prediction }: ClaimedTask): Args<Contract> {
    const { shape } = this.contract.args as { readonly shape?: Readonly<Record<string, unknown>> }
    const given = {
      ...args,
      ...(shape?.['user_id'] !== undefined && userId !== null && { user_id: Number(userId) }),
      ...(shape?.['prediction_id'] !== undefined && prediction && { prediction_id: Number(prediction.id) }),
    }
    const parsed = this.contract.args.safeParse(given)
    if (!parsed.success) throw new MemoryGuardError('REQUEST_INVALID', 'Its arguments are not valid.')
    return parsed.data as Args<Contract>
  }
}
