import { afterAll, beforeAll } from 'vitest'
import { startStack, type Stack, type StackOptions } from './stack.js'

/** A stack for the tests of a block: it is started before them and stopped after them. Use it in tests and hooks only. */
export const useStack = (options: StackOptions): Stack => {
  let stack: Stack | undefined
  beforeAll(async () => {
    stack = await startStack(options)
  })
  afterAll(() => stack?.stop())
  const started = (): Stack => {
    if (!stack) throw new Error('The stack has not been started')
    return stack
  }
  return new Proxy({} as Stack, {
    get: (_, member) => Reflect.get(started(), member) as unknown,
    set: (_, member, value) => Reflect.set(started(), member, value),
  })
}
