import { afterAll, beforeAll } from 'vitest'
import { startedLater } from './started-later.js'
import { startStack, type Stack, type StackOptions } from './stack.js'

/** A stack for the tests of a block: it is started before them and stopped after them. Use it in tests and hooks only. */
export const useStack = (options: StackOptions): Stack => {
  let stack: Stack | undefined
  beforeAll(async () => {
    stack = await startStack(options)
  })
  afterAll(() => stack?.stop())
  return startedLater(() => stack, 'The stack')
}
