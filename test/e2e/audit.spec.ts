import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { query, queryNumber } from '../support/query.js'
import { main, runAsAdmin } from '../support/run-command.js'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const metrics = { mmse_score: 24, age: 72 }

describe('A7: the audit trail', () => {
  let stack: Stack
  let folder: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'memoryguard-audit-'))
    stack = await startStack({ broker: 'postgres' })
  })
  afterAll(async () => {
    await stack.stop()
    rmSync(folder, { recursive: true })
  })

  const run = (sql: string) => query(stack.databaseUrl, sql)
  const count = (sql: string) => queryNumber(stack.databaseUrl, `SELECT count(*)::int AS number FROM ${sql}`)
  const cliRun = async (...args: string[]) => {
    const { code, out, err } = await runAsAdmin(stack, ...args)
    return { code, text: out + err }
  }

  it('and the change it records are stored together or not at all', async () => {
    const { body: task } = await stack.request('POST', '/v1/tasks', {
      name: 'ml.health_check',
      args: {},
      countdown: 600,
    })
    const { body: done } = await stack.request(
      'POST',
      '/v1/tasks',
      { name: 'ml.health_check', args: {} },
      { prefer: 'wait=20' },
    )
    const { body: measurement } = await stack.request('POST', '/v1/users/7/health-metrics', {
      recorded_at: '2026-01-31T12:00:00Z',
      health_metrics: metrics,
    })
    const { body: schedule } = await stack.request('POST', '/v1/schedules', {
      name: 'kept',
      task: 'ml.health_check',
      interval_seconds: 86_400,
    })
    const { body: webhook } = await stack.request('POST', '/v1/webhooks', {
      url: 'https://example.com/hook',
      events: ['task.failed'],
    })
    const { body: key } = await stack.request('POST', '/v1/api-keys', { name: 'kept', role: 'viewer' })
    const changes: readonly (readonly [string, string, unknown?])[] = [
      ['POST', '/v1/api-keys', { name: 'never', role: 'admin' }],
      ['DELETE', `/v1/api-keys/${String(key['id'])}`],
      ['POST', '/v1/queues/batch/pause'],
      ['POST', '/v1/queues/predictions/purge'],
      ['POST', '/v1/schedules', { name: 'never', task: 'ml.health_check', interval_seconds: 60 }],
      ['PATCH', '/v1/schedules/kept', { is_paused: true }],
      ['POST', '/v1/schedules/kept/run'],
      ['DELETE', '/v1/schedules/kept'],
      ['POST', '/v1/webhooks', { url: 'https://example.com/never', events: ['task.failed'] }],
      ['PATCH', `/v1/webhooks/${String(webhook['id'])}`, { is_active: false }],
      ['POST', `/v1/webhooks/${String(webhook['id'])}/rotate-secret`],
      ['POST', `/v1/webhooks/${String(webhook['id'])}/test`],
      ['DELETE', `/v1/webhooks/${String(webhook['id'])}`],
      ['POST', `/v1/tasks/${String(task['id'])}/revoke`],
      ['POST', `/v1/tasks/${String(task['id'])}/revoke`, { terminate: true }],
      ['DELETE', `/v1/tasks/${String(done['id'])}/result`],
      ['POST', '/v1/models/impairment-screen/1/activate'],
      ['POST', '/v1/workers/worker1@test/pool-grow', { n: 1 }],
      ['DELETE', `/v1/users/7/health-metrics/${String(measurement['id'])}`],
      ['DELETE', '/v1/users/7'],
    ]
    const tables = [
      'api_keys',
      'paused_queues',
      'schedules',
      'webhooks',
      'webhook_deliveries',
      'tasks',
      'health_metrics',
      'model_activations',
      'worker_commands',
      'audit_log',
    ]
    const snapshot = async () =>
      Promise.all(
        tables.map((table) =>
          run(
            `SELECT '${table}' AS name, md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) AS rows FROM ${table} t`,
          ),
        ),
      )
    await run(`ALTER TABLE audit_log ADD CONSTRAINT out_of_order CHECK (id < 0) NOT VALID`)
    const before = await snapshot()
    for (const [method, path, body] of changes) {
      const { status } = await stack.request(method, path, body)
      expect([method, path, status]).toEqual([method, path, 500])
      expect([method, path, await snapshot()]).toEqual([method, path, before])
    }
    await run(`ALTER TABLE audit_log DROP CONSTRAINT out_of_order`)
    const entries = await count('audit_log')
    for (const [method, path, body] of changes.slice(0, 3)) {
      expect((await stack.request(method, path, body)).status).toBeLessThan(300)
    }
    expect(await count('audit_log')).toBe(entries + 3)
    expect(schedule['name']).toBe('kept')
  })

  it('has the submitter of a task beside it, and names no person', async () => {
    const { body: keys } = await stack.request('GET', '/v1/api-keys')
    const own = (keys['items'] as { id: string; name: string }[]).find(({ name }) => name === 'first admin key')?.id
    const { body: prediction } = await stack.request('POST', '/v1/predictions', {
      user_id: 77_777,
      health_metrics: metrics,
    })
    const { body: batch } = await stack.request('POST', '/v1/batches', {
      items: [{ user_id: 1, health_metrics: metrics }],
    })
    const { body: forecast } = await stack.request('POST', '/v1/users/77777/forecasts')
    for (const id of [prediction['task_id'], batch['id'], forecast['task_id']]) {
      expect((await stack.request('GET', `/v1/tasks/${String(id)}`)).body).toMatchObject({ submitted_by: own })
    }
    await stack.request('POST', '/v1/api-keys', { name: 'bound', role: 'viewer', user_id: 77_777 })
    expect(await count(`audit_log a WHERE a::text LIKE '%77777%'`)).toBe(0)
  })

  it('is searched by target and time too', async () => {
    for (const queue of ['batch', 'forecasts']) await stack.request('POST', `/v1/queues/${queue}/pause`)
    await stack.request('POST', '/v1/queues/forecasts/resume')
    const search = async (conditions: Record<string, string>) => {
      const { status, body } = await stack.get(`/v1/audit?${new URLSearchParams(conditions).toString()}`)
      expect(status).toBe(200)
      return body['items'] as { action: string; target: string; at: string }[]
    }
    const found = await search({ target: 'forecasts' })
    expect(found.map(({ action }) => action)).toEqual(['queue.resume', 'queue.pause'])
    expect(await search({ target: 'forecast' })).toEqual([])
    const [resumed = '', paused = ''] = found.map(({ at }) => at)
    const actionsOf = async (conditions: Record<string, string>) =>
      (await search({ target: 'forecasts', ...conditions })).map(({ action }) => action)
    expect(await actionsOf({ since: resumed, until: '0s' })).toEqual(['queue.resume'])
    expect(await actionsOf({ since: paused, until: resumed })).toEqual(['queue.pause'])
    expect(await actionsOf({ since: '1h', action: 'queue.pause' })).toEqual(['queue.pause'])
    expect(await actionsOf({ until: '1h' })).toEqual([])
    expect((await stack.get('/v1/audit?since=yesterday')).status).toBe(422)
    await stack.request('POST', '/v1/queues/batch/resume')
  })

  it('records of an erasure that was cut off that it was begun and not completed', async () => {
    const person = 4_242
    const { body } = await stack.request('POST', '/v1/users/4242/health-metrics', {
      recorded_at: '2026-01-31T12:00:00Z',
      health_metrics: metrics,
    })
    const actions = async () => {
      const rows = (await run(
        `SELECT action, target FROM audit_log WHERE action LIKE 'user.erase%' ORDER BY id DESC LIMIT 2`,
      )) as { action: string; target: string }[]
      return rows.map(({ action, target }) => [action, target])
    }
    const other = new pg.Client({ connectionString: stack.databaseUrl })
    await other.connect()
    try {
      await other.query('BEGIN')
      await other.query('SELECT FROM health_metrics WHERE id = $1 FOR UPDATE', [body['id']])
      const erasing = stack.request('DELETE', `/v1/users/${person}`).catch(() => 'cut off')
      await waitFor(() => count(`pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%WITH held AS%'`), {
        what: 'the erasure to wait',
      })
      await stack.api.kill('SIGKILL')
      expect(await erasing).toBe('cut off')
      await other.query('ROLLBACK')
    } finally {
      await other.end()
    }
    await stack.startApi()
    const [[action, target] = []] = await actions()
    expect(action).toBe('user.erase_begin')
    const { body: done } = await stack.request('DELETE', `/v1/users/${person}`)
    expect(await actions()).toEqual([
      ['user.erase', done['pseudonym']],
      ['user.erase_begin', target],
    ])
    expect(done['pseudonym']).toBe(target)
  })

  it('is checked from the command line, against a checkpoint outside the database', async () => {
    const checkpoint = join(folder, 'checkpoint.json')
    const first = await cliRun('audit', 'verify', '--checkpoint', checkpoint)
    expect(first).toMatchObject({ code: 0, text: expect.stringContaining('The audit trail is intact') })
    const kept = readFileSync(checkpoint, 'utf8')
    await stack.request('POST', '/v1/queues/batch/resume')
    expect((await cliRun('audit', 'verify', '--checkpoint', checkpoint)).code).toBe(0)
    expect(readFileSync(checkpoint, 'utf8')).not.toBe(kept)

    await stack.request('POST', '/v1/queues/batch/pause')
    await run(`CREATE TABLE kept_log AS SELECT * FROM audit_log; CREATE TABLE kept_head AS SELECT * FROM audit_head`)
    const { id } = JSON.parse(readFileSync(checkpoint, 'utf8')) as { id: number }
    for (const last of [id - 1, id]) {
      await run(`DELETE FROM audit_log WHERE id <= ${last};
        INSERT INTO audit_log (action, target, details) VALUES ('audit.expire', '${last}', '{"removed": 12}')`)
      const cutOff = await cliRun('audit', 'verify', '--checkpoint', checkpoint)
      expect(cutOff).toMatchObject({ code: 1, text: expect.stringContaining(`entries up to ${last} were removed`) })
    }
    await run(`ALTER TABLE audit_log DISABLE TRIGGER audit_chain; DELETE FROM audit_log; DELETE FROM audit_head;
      INSERT INTO audit_log OVERRIDING SYSTEM VALUE SELECT * FROM kept_log; INSERT INTO audit_head SELECT * FROM kept_head;
      ALTER TABLE audit_log ENABLE TRIGGER audit_chain`)
    expect((await cliRun('audit', 'verify', '--checkpoint', checkpoint)).code).toBe(0)

    await run(`DELETE FROM audit_log WHERE id = (SELECT max(id) FROM audit_log)`)
    const cut = await cliRun('audit', 'verify', '--checkpoint', checkpoint)
    expect(cut).toMatchObject({ code: 1, text: expect.stringContaining('newest entries') })
    await run(`UPDATE audit_log SET action = 'queue.resume' WHERE id = 2`)
    expect(await cliRun('audit', 'verify')).toMatchObject({ code: 1, text: expect.stringContaining('entry 2') })
    expect((await stack.request('GET', '/v1/audit/verification')).body).toMatchObject({
      is_intact: false,
      first_broken_id: 2,
    })
    expect(await cliRun('audit', 'verify', '--checkpoint', main)).toMatchObject({ code: 1 })
  })
})
