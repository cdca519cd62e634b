import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[]
}
interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[]
}

const pathOf = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const textOf = (name: string) => readFileSync(pathOf(name), 'utf8')
const dashboard = JSON.parse(textOf('deploy/grafana/memoryguard.json')) as Dashboard
const alerts = (parse(textOf('deploy/prometheus/alerts.yml')) as Rules).groups.flatMap(({ rules }) => rules)
const expressions = [
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...alerts.map(({ expr }) => expr),
]

const promtool = (args: readonly string[], input = '') => spawnSync('promtool', args, { input, encoding: 'utf8' })
const hasPromtool = promtool(['--version']).status === 0

describe('metrics', () => {
  let stack: Stack
  const readApi = async () => (await stack.get('/metrics')).text
  const readWorker = async () => (await fetch(`${stack.workers[0]?.healthUrl}/metrics`)).text()
  const valueOf = (text: string, sample: string) =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${sample} `))
        ?.split(' ')
        .at(-1) ?? Number.NaN,
    )

  beforeAll(async () => {
    stack = await startStack({ broker: 'postgres', env: { RATE_LIMIT_KEY_PER_MINUTE: '100' } })
    const { body } = await stack.post(
      '/v1/predictions',
      { user_id: 1, health_metrics: { mmse_score: 24, age: 72 } },
      { prefer: 'wait=20' },
    )
    await stack.post(`/v1/predictions/${String(body['id'])}/explanation`, undefined, { prefer: 'wait=20' })
  })
  afterAll(() => stack.stop())

  it('count tasks, waits and calls of models', async () => {
    const text = await readWorker()
    for (const sample of [
      'memoryguard_task_wait_seconds_count{task="ml.process_prediction"}',
      'memoryguard_inference_seconds_count{model="impairment-screen@1",kind="run"}',
      'memoryguard_inference_rows_total{model="impairment-screen@1",kind="explain"}',
    ]) {
      expect(valueOf(text, sample), sample).toBe(1)
    }
    expect(valueOf(text, 'memoryguard_worker_slots')).toBe(2)
    expect(valueOf(text, 'memoryguard_compute_child_memory_bytes{child="1"}')).toBeGreaterThan(10_000_000)
    expect(valueOf(await readApi(), 'memoryguard_enqueue_seconds_count')).toBeGreaterThan(0)
  })

  it('have a sample from the start of every count of which an increase alerts', async () => {
    const text = (await readApi()) + (await readWorker())
    const counts = alerts.flatMap(({ expr }) => [...expr.matchAll(/increase\((\w+)\{(\w+)=~?"([^"]+)"\}/g)])
    expect(counts.length).toBeGreaterThanOrEqual(2)
    for (const [, name, label, values = ''] of counts) {
      for (const value of values.split('|')) expect(text).toContain(`\n${name}{${label}="${value}"} 0\n`)
    }
  })

  it('say why a compute child was replaced', async () => {
    const children = stack.listProcesses().filter((pid) => pid !== stack.api.pid && pid !== stack.workers[0]?.pid)
    process.kill(children[0] ?? 0, 'SIGKILL')
    await waitFor(
      async () => valueOf(await readWorker(), 'memoryguard_compute_child_restarts_total{reason="crashed"}') === 1,
      { what: 'the replaced child' },
    )
  })

  it('have no sample of the metrics that alerts and dashboard read is missing', async () => {
    const text = (await readApi()) + (await readWorker())
    const named = new Set(
      expressions.flatMap((expression) => expression.match(/\b(memoryguard|nodejs)_[a-z0-9_]+/g) ?? []),
    )
    expect(named.size).toBeGreaterThan(15)
    const known = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name))
    expect(
      [...named].filter((name) => !known.has(name.replace(/_(bucket|sum|count)$/, '')) && !known.has(name)),
    ).toEqual([])
  })

  it('count requests that a limit refuses', async () => {
    const { body } = await stack.post('/v1/api-keys', { name: 'hasty', role: 'viewer' })
    const headers = { authorization: `Bearer ${String(body['key'])}` }
    const statuses = await Promise.all(
      Array.from({ length: 110 }, async () => (await stack.get('/v1/queues/batch/scaling', headers)).status),
    )
    expect(statuses.filter((status) => status === 429)).toHaveLength(10)
    await waitFor(async () => valueOf(await readApi(), 'memoryguard_rate_limit_refusals_total{limit="key"}') === 10, {
      what: 'the refusals',
    })
  })

  it('show the queues, and what they need', async () => {
    const { body } = await stack.get('/v1/queues/predictions/scaling?target_seconds=60')
    expect(body).toMatchObject({ queue: 'predictions', desired_workers: 0, waiting: 0, consumers: 1, slots: 2 })
    await stack.post('/v1/queues/predictions/pause')
    await stack.post('/v1/predictions', { user_id: 1, health_metrics: { mmse_score: 24 } })
    await waitFor(
      async () => {
        const text = await readApi()
        const [paused, waiting] = ['paused', 'waiting_tasks'].map((name) =>
          valueOf(text, `memoryguard_queue_${name}{queue="predictions"}`),
        )
        return paused === 1 && waiting === 1
      },
      { what: 'the paused queue' },
    )
    expect((await stack.get('/v1/queues/none/scaling')).status).toBe(422)
  })

  it('are served while the database is down, and say so', async () => {
    await stack.postgres.kill()
    await waitFor(async () => valueOf(await readApi(), 'memoryguard_database_up') === 0, {
      what: 'the outage in the metrics',
      timeoutMs: 20_000,
    })
    expect(await readApi()).not.toMatch(/^memoryguard_queue_waiting_tasks\{/m)
    await stack.postgres.restart()
    await waitFor(async () => valueOf(await readApi(), 'memoryguard_database_up') === 1, {
      what: 'the end of the outage in the metrics',
      timeoutMs: 30_000,
    })
  })

  describe.skipIf(!hasPromtool)('by promtool', () => {
    it.each(['api', 'worker'])('of the %s follow the rules for names', async (process) => {
      const { status, stdout, stderr } = promtool(
        ['check', 'metrics'],
        await (process === 'api' ? readApi() : readWorker()),
      )
      expect(stdout + stderr).toBe('')
      expect(status).toBe(0)
    })

    it('alerts fire on what they are for, and on nothing else', () => {
      for (const [kind, file] of [
        ['check', 'alerts.yml'],
        ['test', 'alerts.test.yml'],
      ] as const) {
        const { status, stdout, stderr } = promtool([kind, 'rules', pathOf(`deploy/prometheus/${file}`)])
        expect(status, stdout + stderr).toBe(0)
      }
      const { status, stdout, stderr } = promtool(['check', 'config', pathOf('deploy/prometheus/prometheus.yml')])
      expect(status, stdout + stderr).toBe(0)
    })

    it('every expression of the dashboard can be evaluated', () => {
      const folder = mkdtempSync(join(tmpdir(), 'memoryguard-'))
      const rules = expressions.map((expr, index) => ({
        record: `r${index}`,
        expr: expr.replaceAll('$__rate_interval', '5m'),
      }))
      writeFileSync(join(folder, 'rules.yml'), JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
      const { status, stdout, stderr } = promtool(['check', 'rules', join(folder, 'rules.yml')])
      rmSync(folder, { recursive: true })
      expect(status, stdout + stderr).toBe(0)
    })
  })
})

it('every alert has a part of docs/operations.md that says what to do', () => {
  const page = textOf('docs/operations.md')
  for (const { alert } of alerts) expect(page).toContain(`### ${alert}\n`)
})
