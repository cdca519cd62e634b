import type { ClaimedTask } from '#libs/database'
import type { Settled } from '#libs/platform'
import type { ArgsOf, ResultOf, TaskContract } from '#libs/tasks/contracts'
import type { TaskProgress } from './progress-reports.js'

/** What a handler may use while it works. */
export interface TaskContext {
  /** Aborted at the soft time limit, and when the worker must stop: throw `signal.reason` at the next safe point. */
  readonly signal: AbortSignal
  /** Aborted when the task is to be killed: what computes in a child is given it. */
  readonly killSignal: AbortSignal
  /** Hard limit in milliseconds, for what computes in a child. */
  readonly hardLimitMs: number
  /** Reports how far some of its tasks are, as often as it likes; of work of less than a second nothing is stored. */
  readonly progress: (tasks: readonly Pick<ClaimedTask, 'id' | 'attempt'>[], progress: TaskProgress) => void
}

/** A claimed task with the arguments of its contract. */
export type StartedTask<Contract extends TaskContract = TaskContract> = Omit<ClaimedTask, 'args'> & {
  readonly args: ArgsOf<Contract>
}

/** What was computed for a task. */
export interface Computed<Output> {
  readonly task: StartedTask
  readonly output: Output
}

/**
 * The one place where a task's work is done. A handler is given started tasks and returns one outcome for each, in
 * order; what it throws is the outcome of them all. It must be safe to run twice: `store` writes only for attempts
 * that still hold their task. `Output` is what it stores: the contract's result, or the rows from which that is read.
 */
export interface TaskHandler<Contract extends TaskContract = TaskContract, Output = ResultOf<Contract>> {
  readonly contract: Contract
  compute(tasks: readonly StartedTask<Contract>[], context: TaskContext): Promise<readonly Settled<Output>[]>
  /** Stores outputs with their success in one statement. Returns the ids of the tasks that were stored. */
  store(computed: readonly Computed<Output>[]): Promise<ReadonlySet<string>>
}
