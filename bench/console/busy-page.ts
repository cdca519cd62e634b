import { openConsole } from '../../test/support/console-browser.js'
import { percentile, type Place, type Reading } from './reading.js'

const seconds = 60
const changesPerSecond = 100

/** Runs in the page: notes when its content changes, and each shift of its layout. */
const watch = `
  window.changes = []
  window.shift = 0
  new MutationObserver(() => window.changes.push(performance.now()))
    .observe(document.querySelector('main'), { childList: true, subtree: true, characterData: true })
  new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => { window.shift += value }))
    .observe({ type: 'layout-shift' })`

/** Groups of changes in one second, most of all seconds: changes of one frame are one repaint. */
const repaints = `(() => {
  const frames = window.changes.filter((at, index) => index === 0 || at - window.changes[index - 1] > 50)
  const counts = {}
  for (const at of frames) counts[Math.floor(at / 1000)] = (counts[Math.floor(at / 1000)] ?? 0) + 1
  return Object.values(counts)
})()`

/** A list that is looked at while 100 tasks a second change. */
export const measureBusyPage = async ({ browser, stack }: Place): Promise<Reading[]> => {
  const worker = await stack.startWorker()
  const window = await openConsole(browser, stack, { path: '/tasks' })
  const { page } = window
  await page.getByRole('table').waitFor()
  const row = page.getByRole('row').nth(5)
  const idOf = async () => row.getByRole('link').first().getAttribute('href')
  await row.hover()
  const [before, box] = [await idOf(), await row.boundingBox()]
  await page.evaluate(watch)
  const startedAt = performance.now()
  let sent = 0
  while (performance.now() - startedAt < seconds * 1000) {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * changesPerSecond) - sent
    await Promise.all(
      Array.from({ length: due }, () =>
        stack.post('/v1/predictions', { user_id: 5, health_metrics: { mmse_score: 24, age: 72 } }),
      ),
    )
    sent += due
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const [after, moved] = [await idOf(), await row.boundingBox()]
  const shift = await page.evaluate<number>('window.shift')
  const counts = await page.evaluate<number[]>(repaints)
  await window.close()
  await worker.kill('SIGTERM')
  return [
    {
      name: `layout shift in ${seconds} s with ${Math.round(sent / seconds)} tasks/s`,
      value: Number(shift.toFixed(4)),
      unit: '',
      bar: 0,
    },
    {
      name: 'rows of another task under the pointer',
      value: before === after && box?.y === moved?.y ? 0 : 1,
      unit: '',
      bar: 0,
    },
    { name: 'repaints in a second, median', value: percentile(counts, 0.5), unit: '', bar: 1 },
    { name: 'repaints in a second, most', value: percentile(counts, 1), unit: '', bar: 2 },
  ]
}
