import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { startPgBouncer, type PgBouncer, type PoolerVersion, type PoolMode } from '../support/pgbouncer.js'
import { query, queryNumber } from '../support/query.js'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const count = 200
const rows = 50
const csv = `user_id,mmse_score,age\n${Array.from({ length: rows }, (_, index) => `${index + 1},${index % 31},70\n`).join('')}`

type Kind = readonly [PoolerVersion, PoolMode]
const both: readonly Kind[] = [
  ['debian', 'session'],
  ['new', 'transaction'],
]
const others: readonly Kind[] = [
  ['new', 'session'],
  ['debian', 'transaction'],
]

describeOnBothBrokers('PgBouncer', (broker) => {
  let stack: Stack
  const poolers: PgBouncer[] = []
  beforeAll(async () => {
    stack = await startStack({
      broker,
      logs: 'keep',
      env: { DATABASE_SILENCE_SECONDS: '1', TASK_LOCK_SECONDS: '2', RECONCILE_INTERVAL_SECONDS: '0.5' },
    })
  })
  afterAll(async () => {
    await stack.stop()
    for (const pooler of poolers) await pooler.stop()
  })

  const poolerOf = async (version: PoolerVersion, mode: PoolMode) => {
    const pooler = await startPgBouncer(version, mode, stack.databaseUrl)
    poolers.push(pooler)
    return pooler.url
  }
  const endProcesses = () =>
    Promise.all([stack.api, ...stack.workers].filter((each) => each.isRunning).map((each) => each.kill('SIGTERM')))
  const submitAll = () =>
    Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const body = { user_id: index + 1, health_metrics: { mmse_score: index % 31, age: 70 } }
        return (await stack.request('POST', '/v1/predictions', body)).status
      }),
    )
  const countPredictions = (since: string) =>
    queryNumber(
      stack.databaseUrl,
      `SELECT count(*)::int AS number FROM predictions WHERE risk_score IS NOT NULL AND created_at >= $1`,
      [since],
    )
  const countUnfinished = () =>
    queryNumber(stack.databaseUrl, `SELECT count(*)::int AS number FROM tasks WHERE state <> 'succeeded'`)

  // With the queues in PostgreSQL everything goes through it, so that each version is tried there in each mode.
  it.each(broker === 'postgres' ? [...others, ...both] : both)(
    'C3: of version %s works in %s mode',
    async (version, mode) => {
      await endProcesses()
      delete stack.env['DATABASE_DIRECT_URL']
      stack.env['DATABASE_URL'] = await poolerOf(version, mode)
      if (mode === 'transaction' && broker === 'postgres') {
        for (const command of ['migrate', 'api', 'worker'] as const) {
          const refused = stack.run(command)
          expect(await refused.exited).toBe(1)
        }
        expect(stack.readLogs()).toMatch(/set DATABASE_DIRECT_URL to PostgreSQL itself, or BROKER_URL to a Redis/)
        stack.env['DATABASE_DIRECT_URL'] = stack.databaseUrl
      }
      for (let times = 0; times < 2; times += 1) expect(await stack.run('migrate').exited).toBe(0)
      await stack.startApi()
      const worker = await stack.startWorker()
      const [row] = await query<{ now: string }>(stack.databaseUrl, 'SELECT now()::text AS now')
      const since = row?.now ?? ''
      const submitting = submitAll()
      const batch = await stack.request('POST', '/v1/batches', csv, { 'content-type': 'text/csv' })
      expect(batch.status).toBe(202)
      await worker.kill('SIGKILL')
      await stack.startWorker()
      expect(new Set(await submitting)).toEqual(new Set([202]))
      await waitFor(async () => (await countUnfinished()) === 0, { what: 'all to be done', timeoutMs: 60_000 })
      expect(await countPredictions(since)).toBe(count + rows)
      expect(stack.readLogs()).not.toMatch(/prepared statement|does not exist|was cut/)
    },
  )

  it('C3: in statement mode is refused in one sentence', async () => {
    await endProcesses()
    delete stack.env['DATABASE_DIRECT_URL']
    stack.env['DATABASE_URL'] = await poolerOf('new', 'statement')
    expect(await stack.run('migrate').exited).toBe(1)
    expect(stack.readLogs()).toMatch(/allows no transactions: set its pool_mode to session or transaction/)
    stack.env['DATABASE_URL'] = stack.databaseUrl
    await stack.startApi()
  })
})
