import { createDataSource, ownTables } from '#libs/database'
import { loadConfig } from '#libs/platform'
import { describe, expect, it } from 'vitest'
import { query } from '../support/query.js'
import { example, waiting } from '../support/requests.js'
import { runCommand } from '../support/run-command.js'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'

const statusOf = async (url: string) => (await fetch(url)).status

/** One of each kind that is stored in tables of its own. */
const submissions: readonly (readonly [path: string, body: unknown])[] = [
  ['/v1/users/1/health-metrics', { recorded_at: '2026-01-01T00:00:00Z', health_metrics: { mmse_score: 24 } }],
  ['/v1/users/1/forecasts', {}],
  ['/v1/api-keys', { name: 'later', role: 'viewer' }],
  ['/v1/schedules', { name: 'later', task: 'ml.health_check', args: {}, interval_seconds: 3_600 }],
  ['/v1/webhooks', { url: 'https://receiver.example/hook' }],
  ['/v1/plans', { action: 'retry', filter: { state: 'failed' } }],
]

describe('a database with the schema of another version', () => {
  const stack = useStack({ broker: 'postgres', logs: 'keep' })

  const stopAll = async () => {
    for (const each of [stack.api, ...stack.workers].filter(({ isRunning }) => isRunning)) await each.kill('SIGTERM')
  }
  const countIn = (text: string, words: string) => text.split(words).length - 1

  it('that is older is waited for with one sentence, and all goes on after the migration without a restart', async () => {
    await stopAll()
    const dataSource = createDataSource(loadConfig({ DATABASE_URL: stack.databaseUrl }))
    await dataSource.initialize()
    for (let undone = 0; undone < 3; undone += 1) await dataSource.undoLastMigration()
    await dataSource.destroy()
    const before = stack.readLogs().length
    const logged = () => stack.readLogs().slice(before)
    const apiReady = stack.startApi()
    const workerReady = stack.startWorker()
    await waitFor(() => countIn(logged(), 'run `npx memoryguard migrate`') === 2, { what: 'both to say so' })
    expect(await statusOf(`${stack.url}/readyz`)).toBe(503)
    expect(await statusOf(`${stack.url}/livez`)).toBe(200)
    const refused = await stack.post('/v1/predictions', example)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])

    const migration = await runCommand(['migrate'], stack.env)
    expect(migration).toMatchObject({ code: 0, out: expect.stringMatching(/^Applied \w+, \w+, \w+\.\n$/) })
    await Promise.all([apiReady, workerReady])
    expect((await stack.post('/v1/predictions', example, waiting)).status).toBe(200)
    expect(countIn(logged(), 'run `npx memoryguard migrate`')).toBe(2)
  })

  it('that is newer is worked with and named, and its migration is left as it is', async () => {
    await stopAll()
    for (const table of ownTables) await query(stack.databaseUrl, `ALTER TABLE ${table} ADD COLUMN of_later text`)
    await query(stack.databaseUrl, 'CREATE TABLE later (id int)')
    await query(
      stack.databaseUrl,
      `INSERT INTO migrations (timestamp, name) VALUES (9000000000000, 'Later9000000000000')`,
    )
    expect(await runCommand(['migrate'], stack.env)).toMatchObject({
      code: 0,
      out: 'A newer version of MemoryGuard has migrated the database (Later9000000000000). Nothing was changed.\n',
    })
    const before = stack.readLogs().length
    await Promise.all([stack.startApi(), stack.startWorker()])
    const logs = stack.readLogs().slice(before)
    expect(countIn(logs, 'database migrated by a newer version')).toBe(2)
    expect(countIn(logs, 'Later9000000000000')).toBe(2)

    const explained = await stack.post('/v1/predictions', { ...example, explain: true }, waiting)
    expect([explained.status, explained.body['state']]).toEqual([200, 'succeeded'])
    const batch = await stack.post('/v1/batches', 'user_id,mmse_score,age\n1,24,72\n', { 'content-type': 'text/csv' })
    expect(batch.status).toBe(202)
    for (const [path, body] of submissions) {
      const { status } = await stack.post(path, body)
      expect([path, status]).toEqual([path, expect.toBeOneOf([200, 201, 202])])
    }
    const path = `/v1/batches/${String(batch.body['id'])}`
    await waitFor(async () => (await stack.get(path)).body['state'] === 'succeeded', { what: 'the batch' })
  })
})
