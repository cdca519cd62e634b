import type { CDPSession } from 'playwright-core'
import { openConsole } from '../../test/support/console-browser.js'
import type { Place, Reading } from './reading.js'

const heapOf = async (session: CDPSession): Promise<number> => {
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  return usedSize / 1_048_576
}

/** Memory of the overview between ten minutes and an hour, on a clock that runs faster. */
export const measureHour = async ({ browser, stack }: Place): Promise<Reading[]> => {
  const window = await openConsole(browser, stack)
  const { page, context } = window
  await page.clock.install()
  await window.open('/overview?range=6h')
  await page
    .getByText(/tasks? in points of|No task ended/)
    .first()
    .waitFor()
  const session = await context.newCDPSession(page)
  await session.send('HeapProfiler.enable')
  const pass = async (minutes: number) => {
    // A second at a time: what is asked for in one has to arrive before the next.
    for (let second = 0; second < minutes * 60; second += 1) {
      await page.clock.runFor(1000)
      if (second % 5 === 0) await page.waitForLoadState('networkidle')
    }
  }
  await pass(10)
  const early = await heapOf(session)
  await pass(50)
  const late = await heapOf(session)
  await window.close()
  return [
    { name: 'memory of the overview after ten minutes', value: Number(early.toFixed(1)), unit: 'MiB', bar: 60 },
    { name: 'growth of it in the 50 minutes after', value: Number((late - early).toFixed(1)), unit: 'MiB', bar: 2 },
  ]
}
