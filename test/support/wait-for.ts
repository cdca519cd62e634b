import { setTimeout as pause } from 'node:timers/promises'

export interface WaitOptions {
  /** What is waited for, for the message. */
  readonly what: string
  readonly timeoutMs?: number
  readonly intervalMs?: number
}

/** Polls until the result is truthy; a call that throws counts as not yet. */
export const waitFor = async <Result>(
  ask: () => Result | Promise<Result>,
  { what, timeoutMs = 30_000, intervalMs = 25 }: WaitOptions,
): Promise<Exclude<Result, false | null | undefined>> => {
  const deadline = Date.now() + timeoutMs
  let last: unknown
  while (Date.now() < deadline) {
    try {
      const result = await ask()
      if (result) return result as Exclude<Result, false | null | undefined>
      last = result
    } catch (error) {
      last = error
    }
    await pause(intervalMs)
  }
  throw new Error(`Waited ${timeoutMs} ms in vain for ${what}`, { cause: last })
}
