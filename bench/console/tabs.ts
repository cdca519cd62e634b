import { openConsole } from '../../test/support/console-browser.js'
import { percentile, type Place, type Reading } from './reading.js'

/** Ten tabs of one browser over HTTP/1.1, which has six connections for all of them. */
export const measureTabs = async ({ browser, stack }: Place): Promise<Reading[]> => {
  const window = await openConsole(browser, stack)
  const { context } = window
  const times: number[] = []
  for (let tab = 0; tab < 10; tab += 1) {
    const page = await context.newPage()
    const startedAt = performance.now()
    await page.goto(`${stack.url}/overview`)
    await page
      .getByText(/tasks? in points of|No task ended/)
      .first()
      .waitFor()
    times.push(performance.now() - startedAt)
  }
  await window.close()
  return [{ name: 'the slowest of ten tabs to show its numbers', value: percentile(times, 1), unit: 'ms', bar: 5000 }]
}
