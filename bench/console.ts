/**
 * The console in Chromium on a long history: how long pages and lists take, what a busy service does to a page that is
 * looked at, ten tabs, and memory over an hour.
 *
 *   npm run bench:console -- [--tasks 1000000] [--rounds 20]
 *
 * Ends with 1 if a figure misses its bar.
 */
import { parseArgs } from 'node:util'
import pg from 'pg'
import { hasChromium, startChromium } from '../test/support/console-browser.js'
import { fillHistory } from '../test/support/history.js'
import { startStack } from '../test/support/stack.js'
import { measureBusyPage } from './console/busy-page.js'
import { measureHour } from './console/hour.js'
import { measureLists } from './console/lists.js'
import { measurePaint } from './console/paint.js'
import { measureTabs } from './console/tabs.js'
import type { Reading } from './console/reading.js'

const { values } = parseArgs({
  options: {
    tasks: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '20' },
    only: { type: 'string', default: '' },
  },
})
const say = (line: string): void => void process.stdout.write(`${line}\n`)
if (!hasChromium()) throw new Error('This bench needs Chromium: apt-get install chromium, or set CHROMIUM to its path.')

const stack = await startStack({ broker: 'redis', workers: 1, logs: 'ignore', env: { RESULT_TTL_SECONDS: '0' } })
const client = new pg.Client(stack.databaseUrl)
await client.connect()
const browser = await startChromium()
const readings: Reading[] = []
try {
  // The worker would run what the history has waiting.
  for (const worker of stack.workers.splice(0)) await worker.kill('SIGTERM')
  const size = Number(values.tasks)
  if (size > 0) await fillHistory(client, { predictions: size, tasks: size }, say)
  const place = { browser, stack, rounds: Number(values.rounds) }
  const parts = {
    paint: measurePaint,
    lists: measureLists,
    tabs: measureTabs,
    busy: measureBusyPage,
    hour: measureHour,
  }
  for (const [name, part] of Object.entries(parts)) {
    if (values.only !== '' && !values.only.split(',').includes(name)) continue
    for (const reading of await part(place)) {
      readings.push(reading)
      say(
        `${reading.value <= reading.bar ? 'ok  ' : 'MISS'} ${reading.name}: ${reading.value} ${reading.unit} (at most ${reading.bar})`,
      )
    }
  }
} finally {
  await browser.close()
  await client.end()
  await stack.stop()
}
process.exitCode = readings.every(({ value, bar }) => value <= bar) ? 0 : 1
