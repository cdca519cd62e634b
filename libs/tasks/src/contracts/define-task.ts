import type { QueueName } from '#libs/platform'
import type { z } from 'zod'

/** What is declared of a task, once: everything that calls, routes, validates or shows it derives from here. */
export interface TaskContract<
  Name extends string = string,
  Args extends z.ZodObject = z.ZodObject,
  Result extends z.ZodType = z.ZodType,
> {
  readonly name: Name
  /** The queue it goes to unless the caller says otherwise; `every` for a task that any queue may carry. */
  readonly queue: QueueName | 'every'
  /** The public form of its arguments. They stay in the database; a queue payload carries identifiers only. */
  readonly args: Args
  readonly result: Result
}

export type ArgsOf<Contract extends TaskContract> = z.output<Contract['args']>
export type ResultOf<Contract extends TaskContract> = z.output<Contract['result']>

export const defineTask = <Name extends string, Args extends z.ZodObject, Result extends z.ZodType>(
  contract: TaskContract<Name, Args, Result>,
): TaskContract<Name, Args, Result> => contract
