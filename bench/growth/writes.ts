import { measureLoad } from '../support/measure-load.js'
import type { Stack } from '../../test/support/stack.js'

const connections = 128

/** What a prediction costs from POST to its stored result, by part. */
export interface WriteCost {
  readonly perSecond: number
  readonly cpuMicroseconds: Readonly<Record<string, number>>
}

/** Sends as many predictions as fast as they are taken, to each of the stacks in turn; the first turn is not counted. */
export const measureWrites = async (
  stacks: readonly Stack[],
  requests: number,
  turns: number,
): Promise<readonly (readonly WriteCost[])[]> => {
  const measured = stacks.map((): WriteCost[] => [])
  for (let turn = 0; turn <= turns; turn += 1) {
    for (const [index, stack] of stacks.entries()) {
      const { perSecond, cpuMicroseconds } = await measureLoad(stack, { requests, connections })
      if (turn > 0) measured[index]?.push({ perSecond, cpuMicroseconds })
    }
  }
  return measured
}
