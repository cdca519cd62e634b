import { describe, expect, it } from 'vitest'
import { celeryVersions, prepareCelery } from '../support/celery-environment.js'
import {
  celeryUrls,
  runCases,
  runPython,
  startCeleryWorker,
  startGateway,
  type CaseLine,
  type CeleryUrls,
} from '../support/celery-programs.js'
import { hasRedis, startRedis } from '../support/redis-server.js'

const pythons = hasRedis() ? await prepareCelery() : undefined

/** Every case with both kinds of worker side by side. */
const timeoutMs = 400_000

/** Commands that the guide of the replaced system gives. */
const guideCommands = [['inspect', 'active'], ['inspect', 'registered'], ['inspect', 'stats'], ['status']]

const prediction = (id: number) => ({ state: 'SUCCESS', status: 'success', prediction_id: id })
/** What the snippets of the guide lead to. */
const guideOutcomes = {
  prediction: prediction(1),
  batch: { state: 'SUCCESS', status: 'completed', total: 3 },
  explanation: prediction(1),
  forecasts: { state: 'SUCCESS', status: 'success', user_id: 123 },
  'by id': prediction(1),
}

/** What clients see of one worker. */
interface Observed {
  readonly lines: readonly CaseLine[]
  /** What the snippets of the guide lead to, without and with a queue for each task. */
  readonly guide: readonly unknown[]
  /** Exit codes of the commands of the guide, and whether they name the worker. */
  readonly commands: readonly unknown[]
  readonly shutdown: readonly CaseLine[]
}

const observe = async (python: string, urls: CeleryUrls, worker: string): Promise<Observed> => {
  const lines = await runCases(python, urls, worker)
  const guide: unknown[] = []
  for (const options of [[], ['--routes']]) {
    const { out, err } = await runPython(python, ['old_guide.py', ...options], urls)
    guide.push(JSON.parse(out.trim().split('\n').at(-1) || JSON.stringify(err)))
  }
  const commands: unknown[] = []
  for (const command of guideCommands) {
    const { code, out } = await runPython(python, ['-m', 'celery', '-A', 'celery_worker', ...command], urls)
    commands.push([command.join(' '), code, out.includes(worker)])
  }
  return { lines, guide, commands, shutdown: await runCases(python, urls, worker, ['shutdown']) }
}

const observeCelery = async (python: string): Promise<Observed> => {
  const redis = await startRedis()
  const urls = celeryUrls(redis.url)
  try {
    const worker = await startCeleryWorker(python, urls)
    try {
      return await observe(python, urls, worker.name)
    } finally {
      await worker.stop()
    }
  } finally {
    await redis.stop()
  }
}

/** With the messages that end a Celery worker as well. */
const observeGateway = async (python: string) => {
  const gateway = await startGateway()
  const { name, urls, stack } = gateway
  try {
    const fatal = await runCases(python, urls, name, ['messages that end a Celery worker'])
    const observed = await observe(python, urls, name)
    return { fatal, observed, exitCode: await stack.workers[0]?.exited }
  } finally {
    await gateway.stop()
  }
}

/** Outcomes by case. */
const outcomesOf = (lines: readonly CaseLine[]) =>
  Object.fromEntries(lines.map(({ case: name, outcome }) => [name, outcome]))

/** Outcomes that a gateway must have, by case: those of Celery, but where it differs by design. */
const expectedOf = (lines: readonly CaseLine[]) =>
  Object.fromEntries(
    lines.map(({ case: name, outcome, gateway, why }) => [name, why === undefined ? outcome : gateway]),
  )

const failed = (lines: readonly CaseLine[]) =>
  lines.filter(({ outcome }) => typeof outcome === 'object' && outcome !== null && 'error' in outcome)

describe.runIf(pythons !== undefined)('clients of Celery', () => {
  it.each(celeryVersions)(
    'of version %s see the same of a worker as of a Celery worker, in every case',
    async (version) => {
      const python = pythons?.[version] ?? ''
      const [celery, { fatal, observed, exitCode }] = await Promise.all([observeCelery(python), observeGateway(python)])

      expect(failed(celery.lines)).toEqual([])
      expect(celery.lines.length).toBeGreaterThan(100)
      expect(celery.guide).toEqual([guideOutcomes, guideOutcomes])
      expect(celery.commands).toEqual(guideCommands.map((command) => [command.join(' '), 0, true]))

      expect(outcomesOf(observed.lines)).toEqual(expectedOf(celery.lines))
      expect(observed.guide).toEqual(celery.guide)
      expect(observed.commands).toEqual(celery.commands)
      expect(outcomesOf(fatal)).toEqual(expectedOf(fatal))
      expect([celery, observed].map(({ shutdown }) => outcomesOf(shutdown))).toEqual([
        { shutdown: { offline: true } },
        { shutdown: { offline: true } },
      ])
      expect(exitCode).toBe(0)
    },
    timeoutMs,
  )
})
