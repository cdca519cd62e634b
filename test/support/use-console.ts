import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { openConsole, startChromium, type ConsoleOptions, type ConsoleWindow } from './console-browser.js'
import type { Stack, StackOptions } from './stack.js'
import { startedLater } from './started-later.js'
import { useStack } from './use-stack.js'

interface Console {
  readonly stack: Stack
  /** The windows of the current test, which are closed after it. */
  readonly windows: ConsoleWindow[]
  readonly open: (options: ConsoleOptions) => Promise<ConsoleWindow>
}

/** A stack and a browser for the tests of a block. Use it in tests and hooks only. */
export const useConsole = (options: StackOptions): Console => {
  const stack = useStack(options)
  const windows: ConsoleWindow[] = []
  let browser: Browser | undefined
  beforeAll(async () => {
    browser = await startChromium()
  })
  afterEach(() => Promise.all(windows.splice(0).map((window) => window.close())))
  afterAll(() => browser?.close())
  const started = startedLater(() => browser, 'The browser')
  const open = async (window: ConsoleOptions): Promise<ConsoleWindow> => {
    const opened = await openConsole(started, stack, window)
    windows.push(opened)
    return opened
  }
  return { stack, windows, open }
}
