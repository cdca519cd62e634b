import { MemoryGuardError } from '#libs/platform'

/** The first result. @throws if there is none, the error that an operator has to do something about, or the first. */
export const firstToSucceed = async <Result>(attempts: readonly Promise<Result>[]): Promise<Result> => {
  try {
    return await Promise.any(attempts)
  } catch (error) {
    const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error]
    throw errors.find((each) => each instanceof MemoryGuardError && !each.retryable) ?? errors[0]
  }
}
