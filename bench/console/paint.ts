import { openConsole } from '../../test/support/console-browser.js'
import { percentile, type Place, type Reading } from './reading.js'

const readPaint = `new Promise((resolve) => new PerformanceObserver((list) =>
  list.getEntries().forEach(({ name, startTime }) => name === 'first-contentful-paint' && resolve(startTime)))
  .observe({ type: 'paint', buffered: true }))`

/** First contentful paint on a processor four times as slow, with an empty cache. */
export const measurePaint = async ({ browser, stack }: Place): Promise<Reading[]> => {
  const times: number[] = []
  for (let round = 0; round < 5; round += 1) {
    const window = await openConsole(browser, stack)
    const { page, context } = window
    const session = await context.newCDPSession(page)
    await session.send('Emulation.setCPUThrottlingRate', { rate: 4 })
    await window.open('/overview')
    times.push(await page.evaluate<number>(readPaint))
    await window.close()
  }
  return [
    { name: 'first contentful paint, processor 4 x slower', value: percentile(times, 0.5), unit: 'ms', bar: 1000 },
  ]
}
