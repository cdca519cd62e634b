import { TaskRepository } from '#libs/database'
import type { Settled } from '#libs/platform'
import type { ArgsOf, ResultOf, TaskContract } from '#libs/tasks/contracts'
import { Inject } from '@nestjs/common'
import type { Computed, StartedTask, TaskContext, TaskHandler } from './task-handler.js'

/**
 * A handler whose result is stored with its task, nowhere else. The tasks of a group are computed side by side, and one
 * that fails fails alone.
 */
export abstract class ResultHandler<Contract extends TaskContract> implements TaskHandler<Contract> {
  abstract readonly contract: Contract

  @Inject(TaskRepository)
  private readonly tasks!: TaskRepository

  /** Computes the result. It may run twice; what it throws is the outcome of the attempt. */
  protected abstract run(args: ArgsOf<Contract>, context: TaskContext): Promise<ResultOf<Contract>>

  compute(tasks: readonly StartedTask<Contract>[], context: TaskContext): Promise<Settled<ResultOf<Contract>>[]> {
    return Promise.all(
      tasks.map(async ({ args }) => {
        try {
          return { value: await this.run(args, context) }
        } catch (error) {
          return { error }
        }
      }),
    )
  }

  store(computed: readonly Computed<ResultOf<Contract>>[]): Promise<ReadonlySet<string>> {
    return this.tasks.succeed(
      computed.map(({ task, output }) => ({ id: task.id, attempt: task.attempt, result: output })),
    )
  }
}
