/**
 * Takes the pictures of the console for README and docs, in docs/images, from a service that has been busy for a few minutes:
 * `npm run pictures`. Needs Chromium.
 */
import { fileURLToPath } from 'node:url'
import { openConsole, startChromium } from '../dist/test/support/console-browser.js'
import { startStack } from '../dist/test/support/stack.js'

const busyMinutes = 4
const waiting = { prefer: 'wait=20' }
const person = 1042

const stack = await startStack({ broker: 'postgres', workers: 2 })
const browser = await startChromium()
try {
  await record(stack)
  const predictionId = await predictAndExplain(stack)
  await stack.post(`/v1/users/${person}/forecasts`, {}, waiting)
  const batch = await sendBatch(stack)
  await beBusy(stack)
  // Each page, and what is drawn last on it.
  const chart = 'figure svg[role="img"]'
  const pictures = {
    'console-overview': ['/overview?range=15m', chart],
    'console-result': [`/predictions/${predictionId}`, chart],
    'console-forecast': [`/people/${person}?tab=forecast`, chart],
    'console-tasks': ['/tasks', 'tbody tr'],
    'console-batch': [`/batches/${batch}`, chart],
    'console-model': ['/models/impairment-screen/1', chart],
  }
  for (const [name, [path, last]] of Object.entries(pictures)) {
    for (const colorScheme of name === 'console-overview' ? ['light', 'dark'] : ['light']) {
      const window = await openConsole(browser, stack, { width: 1440, colorScheme, path })
      await window.page.locator(last).first().waitFor()
      await window.page.locator('main [aria-busy="true"]').first().waitFor({ state: 'detached' })
      const file = `docs/images/${name}${colorScheme === 'dark' ? '-dark' : ''}.png`
      await window.page.screenshot({ path: fileURLToPath(new URL(`../${file}`, import.meta.url)) })
      await window.close()
      process.stdout.write(`${file}\n`)
    }
  }
} finally {
  await browser.close()
  await stack.stop()
}

/** Measurements of a person over some years. */
async function record({ post }) {
  const visits = [
    ['2021-03-15', 29, 71],
    ['2022-04-02', 28, 72],
    ['2023-05-20', 28, 73],
    ['2024-09-11', 26, 74],
    ['2026-01-19', 25, 76],
  ]
  for (const [recorded_at, mmse_score, age] of visits) {
    const health_metrics = { mmse_score, age, sex: 'female', education: 1 }
    await post(`/v1/users/${person}/health-metrics`, { recorded_at, health_metrics })
  }
}

async function predictAndExplain({ post }) {
  const metrics = { mmse_score: 25, age: 76, sex: 'female', education_years: 9 }
  const { body } = await post('/v1/predictions', { user_id: person, health_metrics: metrics }, waiting)
  await post(`/v1/predictions/${body.id}/explanation`, {}, waiting)
  return body.id
}

async function sendBatch({ url, key }) {
  const rows = Array.from(
    { length: 600 },
    (_, index) => `${2_000 + index},${12 + ((index * 7) % 19)},${58 + ((index * 11) % 38)}`,
  )
  const response = await fetch(`${url}/v1/batches`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'text/csv' },
    body: ['user_id,mmse_score,age', ...rows, '2600,thirty,70', ''].join('\n'),
  })
  return (await response.json()).id
}

/** Predictions, some of them with an explanation, now more and now less. */
async function beBusy({ post }) {
  const until = Date.now() + busyMinutes * 60_000
  for (let round = 0; Date.now() < until; round += 1) {
    const count = 6 + Math.round(5 * Math.sin(round / 25))
    const health_metrics = { mmse_score: 14 + (round % 17), age: 60 + (round % 31) }
    const sent = Array.from({ length: count }, (_, index) =>
      post('/v1/predictions', { user_id: 3_000 + round + index, health_metrics, explain: index === 0 }),
    )
    await Promise.all([...sent, new Promise((resolve) => setTimeout(resolve, 400))])
  }
}
