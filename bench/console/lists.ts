import { openConsole } from '../../test/support/console-browser.js'
import { percentile, type Place, type Reading } from './reading.js'

const searches = [
  '',
  'state:failed',
  'queue:batch',
  'name:ml.generate_explanation',
  'user:1',
  'user:7',
  'error:TASK_FAILED',
  'model:caide@1.0.0',
  'state:failed queue:predictions',
  'state:failed user:1',
  'since:24h',
]

/**
 * From the change of the address to the painted rows of the response to it. `word` stands in that request alone: each search
 * ends at another time to come, so that nothing is shown from memory.
 */
const goTo = `async (address, word) => {
  const requested = performance.now()
  let hasArrived = false
  const observer = new PerformanceObserver((list) => list.getEntries().forEach(({ name }) => {
    if (name.includes('/v1/tasks?') && name.includes(word) && !name.includes('count=')) hasArrived = true
  }))
  observer.observe({ type: 'resource' })
  history.pushState(history.state, '', address)
  dispatchEvent(new PopStateEvent('popstate', { state: history.state }))
  while (!hasArrived || document.querySelector('main [aria-busy="true"]')) {
    if (performance.now() - requested > 20000) throw new Error('No rows after 20 s at ' + address)
    await new Promise(requestAnimationFrame)
  }
  observer.disconnect()
  return performance.now() - requested
}`

/** Lists of tasks by what they are searched for, and the page after each. */
export const measureLists = async ({ browser, stack, rounds }: Place): Promise<Reading[]> => {
  const window = await openConsole(browser, stack)
  const { page } = window
  const readings: Reading[] = []
  const all: number[] = []
  let searched = 0
  /** A search that no one has made before, and what names it in a request. */
  const newSearch = (q: string) => {
    searched += 1
    const word = `2040-01-01T${new Date(searched * 1000).toISOString().slice(11, 19)}Z`
    return { q: `${q} until:${word}`.trim(), word: encodeURIComponent(word) }
  }
  const cursorOf = async (q: string): Promise<string | null> => {
    const { body } = await stack.get(`/v1/tasks?limit=50&q=${encodeURIComponent(q)}`)
    return body['next_cursor'] as string | null
  }
  await window.open('/tasks')
  await page.getByRole('table').waitFor()
  for (const wanted of searches) {
    const times: Record<'first' | 'next', number[]> = { first: [], next: [] }
    for (let round = 0; round < rounds; round += 1) {
      for (const which of ['first', 'next'] as const) {
        const { q, word } = newSearch(wanted)
        const cursor = which === 'next' ? await cursorOf(q) : undefined
        if (cursor === null) continue
        const address = `/tasks?q=${encodeURIComponent(q)}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`
        times[which].push(await page.evaluate<number>(`(${goTo})(${JSON.stringify(address)}, ${JSON.stringify(word)})`))
      }
    }
    all.push(...times.first, ...times.next)
    for (const [which, list] of Object.entries(times)) {
      if (list.length === 0) continue
      readings.push({ name: `${which} page of "${wanted}", p95`, value: percentile(list, 0.95), unit: 'ms', bar: 300 })
    }
  }
  await window.close()
  return [...readings, { name: 'all lists, p95', value: percentile(all, 0.95), unit: 'ms', bar: 300 }]
}
