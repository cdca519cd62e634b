import { setTimeout as pause } from 'node:timers/promises'

export interface WaitOptions {
  /** What is waited for, for the message. */
  readonly what: string
  readonly timeoutMs?: number
  readonly intervalMs?: number
}

/** Asks until the answer is truthy; a question that throws counts as not yet. */
export const waitFor = async <Answer>(
  ask: () => Answer | Promise<Answer>,
  { what, timeoutMs = 30_000, intervalMs = 25 }: WaitOptions,
): Promise<Exclude<Answer, false | null | undefined>> => {
  const deadline = Date.now() + timeoutMs
  let last: unknown
  while (Date.now() < deadline) {
    try {
      const answer = await ask()
      if (answer) return answer as Exclude<Answer, false | null | undefined>
      last = answer
    } catch (error) {
      last = error
    }
    await pause(intervalMs)
  }
  throw new Error(`Waited ${timeoutMs} ms in vain for ${what}`, { cause: last })
}
