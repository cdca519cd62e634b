import type { ClaimedTask } from '#libs/database'
import type { Settled } from '#libs/platform'
import type { TaskContract } from '#libs/tasks/contracts'
import type { TaskProgress } from './progress-reports.js'

/** What a handler may use while it works. */
export interface TaskContext {
  /** Aborted at the soft time limit, and when the worker must stop: throw `signal.reason` at the next safe point. */
  readonly signal: AbortSignal
  /** Aborted when the task is to be killed: what computes in a child is given it. */
  readonly killSignal: AbortSignal
  /** Hard limit in milliseconds, for what computes in a child. */
  readonly hardLimitMs: number
  /** Tells how far it is with some of its tasks, as often as it likes; of work of less than a second nobody hears. */
  readonly progress: (tasks: readonly ClaimedTask[], progress: TaskProgress) => void
}

/** An answer with the task that it belongs to. */
export interface Answered<Answer> {
  readonly task: ClaimedTask
  readonly answer: Answer
}

/**
 * The one place where a task's work is done. A handler is given started tasks and answers one outcome for each, in
 * order; what it throws is the outcome of them all. It must be safe to run twice: `store` writes only for attempts
 * that still hold their task.
 */
export interface TaskHandler<Contract extends TaskContract = TaskContract, Answer = unknown> {
  readonly contract: Contract
  compute(tasks: readonly ClaimedTask[], context: TaskContext): Promise<readonly Settled<Answer>[]>
  /** Stores answers with their success in one statement; answers the ids of the tasks that were stored. */
  store(answers: readonly Answered<Answer>[]): Promise<ReadonlySet<string>>
}
