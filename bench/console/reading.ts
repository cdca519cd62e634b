import type { Browser } from 'playwright-core'
import type { Stack } from '../../test/support/stack.js'

/** What was measured, and the most that it may be. */
export interface Reading {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly bar: number
}

/** Where it is measured. */
export interface Place {
  readonly browser: Browser
  readonly stack: Stack
  readonly rounds: number
}

/** The value that a share of all is not above. */
export const percentile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
}
