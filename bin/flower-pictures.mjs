/**
 * Takes the pictures of Flower for docs, in docs/images, with workers that serve Celery callers: `npm run pictures:flower`.
 * Needs Chromium, and PyPI on its first run.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { CeleryCaller } from '../dist/test/support/celery-caller.js'
import { celeryFolder, prepareCelery } from '../dist/test/support/celery-environment.js'
import { startChromium } from '../dist/test/support/console-browser.js'
import { startStack } from '../dist/test/support/stack.js'
import { waitFor } from '../dist/test/support/wait-for.js'

const width = 1280
const port = 5599
const flowerUrl = `http://127.0.0.1:${port}`
const names = ['memoryguard@clinic-1', 'memoryguard@clinic-2']

const pythons = await prepareCelery()
if (!pythons) throw new Error('Flower cannot be installed')
const caller = await CeleryCaller.start()
const stack = await startStack({ broker: 'postgres', workers: 0, env: caller.env })
const browser = await startChromium()
const flower = startFlower(pythons['5.7'])
try {
  for (const WORKER_NAME of names) await stack.startWorker({ WORKER_NAME })
  await waitFor(showsWorkers, { what: 'the workers in Flower' })
  await waitFor(showsTasks, { what: 'a task in Flower', intervalMs: 500 })
  const task = await beBusy()
  const pictures = {
    workers: '/workers',
    tasks: '/tasks',
    task: `/task/${task}`,
    broker: '/broker',
  }
  const page = await browser.newPage({ viewport: { width, height: 720 }, colorScheme: 'light' })
  for (const [name, path] of Object.entries(pictures)) {
    await page.goto(`${flowerUrl}${path}`, { waitUntil: 'networkidle' })
    await page.locator('tbody td:not(.dataTables_empty), dd').first().waitFor()
    const bottom = await page.evaluate(() =>
      Math.max(
        ...[...document.querySelectorAll('.page-section, .dataTables_info')].map(
          (each) => each.getBoundingClientRect().bottom,
        ),
      ),
    )
    const file = `docs/images/flower-${name}.png`
    await page.screenshot({
      path: fileURLToPath(new URL(`../${file}`, import.meta.url)),
      clip: { x: 0, y: 0, width, height: Math.min(620, Math.ceil(bottom)) },
      fullPage: true,
    })
    process.stdout.write(`${file}\n`)
  }
} finally {
  await browser.close()
  const exited = once(flower, 'exit')
  flower.kill()
  await exited
  await stack.stop()
  await caller.stop()
}

function startFlower(python) {
  const args = ['-m', 'celery', '-A', 'celery_worker', 'flower', '--address=127.0.0.1', `--port=${port}`]
  return spawn(python, args, {
    cwd: celeryFolder,
    env: { PATH: process.env.PATH, PYTHONDONTWRITEBYTECODE: '1', FLOWER_UNAUTHENTICATED_API: '1', ...caller.env },
    stdio: 'ignore',
  })
}

async function showsWorkers() {
  const response = await fetch(`${flowerUrl}/api/workers?refresh=1`).catch(() => undefined)
  if (!response?.ok) return false
  const found = Object.keys(await response.json())
  return names.every((name) => found.includes(name))
}

/** Flower asks for events a while after its start: what was called before is not shown. */
async function showsTasks() {
  const response = await fetch(`${flowerUrl}/api/tasks`)
  if (Object.keys(await response.json()).length > 0) return true
  await caller.call('ml.health_check')
  return false
}

/** Calls of every task and with every end; returns one that was computed. */
async function beBusy() {
  const ids = []
  for (let index = 1; index <= 40; index += 1) {
    const metrics = { mmse_score: 14 + (index % 17), age: 60 + (index % 31) }
    ids.push(await caller.call('ml.process_prediction', [index, index, metrics], { queue: 'predictions' }))
    if (index % 10 === 0) await caller.result(ids.at(-1))
  }
  await caller.result(await caller.call('ml.generate_explanation', [7], { queue: 'explanations' }))
  await caller.result(
    await caller.call(
      'ml.batch_predictions',
      [
        [1, 2, 3],
        [{ age: 70 }, { age: 71 }, { age: 72 }],
      ],
      { queue: 'batch' },
    ),
  )
  await caller.result(
    await caller.call('ml.process_prediction', [41, 41, { mmse_score: 99 }], { queue: 'predictions' }),
  )
  await caller.call('ml.update_forecasts', [123], { eta: new Date(Date.now() + 3_600_000).toISOString() })
  const last = await caller.call('ml.process_prediction', [42, 42, { mmse_score: 21, age: 77 }], {
    queue: 'predictions',
  })
  // What waits for workers that are still to come.
  for (let index = 0; index < 5; index += 1) await caller.call('patterns.monitor_user', [`user-${index}`])
  await caller.result(last)
  await waitFor(async () => (await fetch(`${flowerUrl}/api/task/info/${last}`)).ok, { what: 'the call in Flower' })
  return last
}
