import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandsOf } from '../support/document-commands.js'
import { hasPostgresTools, startServerWithTools, type ServerWithTools } from '../support/postgres-tools.js'
import { query, queryNumber } from '../support/query.js'
import { hasRedis } from '../support/redis-server.js'
import { bearer, example, waiting } from '../support/requests.js'
import { runAsAdmin, runCommand } from '../support/run-command.js'
import { quickRecovery, startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.js'

const document = new URL('../../docs/upgrading.md', import.meta.url)
const ended = 20
const queued = 10

describe.runIf(hasRedis() && hasPostgresTools())('a dump', () => {
  let server: ServerWithTools
  let receiver: WebhookReceiver
  let stack: Stack
  let folder: string
  let endedTasks: readonly object[]
  let endedIds: readonly string[]
  let queuedIds: readonly string[]
  let lastId: number
  const keys = { early: '', late: '' }

  const submitted = async (count: number, headers?: Readonly<Record<string, string>>): Promise<readonly string[]> => {
    const responses = await Promise.all(
      Array.from({ length: count }, () => stack.post('/v1/predictions', example, headers)),
    )
    return responses.map(({ body }) => String(body['task_id']))
  }
  const createKey = async (name: string) =>
    String((await stack.post('/v1/api-keys', { name, role: 'viewer' })).body['key'])
  const readEnded = () =>
    query(
      String(stack.env['DATABASE_URL']),
      `SELECT t.*, p.risk_score, p.outputs FROM tasks t JOIN predictions p ON p.task_id = t.id WHERE t.id = ANY($1)
       ORDER BY t.id`,
      [endedIds],
    )
  /** Runs commands of the document as they stand there. */
  const runTools = (wanted: RegExp) => {
    const lines = commandsOf(readFileSync(document, 'utf8')).filter((line) => wanted.test(line))
    expect(lines.length).toBeGreaterThan(0)
    for (const line of lines) server.run(line, folder, { DATABASE_URL: server.url, RESTORED_URL: restoredUrl() })
  }
  const restoredUrl = () => server.url.replace(/memoryguard$/, 'memoryguard_restored')
  const stopAll = async () => {
    for (const each of [stack.api, ...stack.workers].filter(({ isRunning }) => isRunning)) await each.kill('SIGTERM')
  }
  const messagesOf = (ids: readonly string[], since = 0) =>
    receiver.messages.slice(since).filter(({ body }) => ids.includes(String(body.data['task_id'])))

  beforeAll(async () => {
    ;[server, receiver] = await Promise.all([startServerWithTools(), startReceiver()])
    folder = mkdtempSync(join(tmpdir(), 'memoryguard-dump-'))
    const env = { ...quickRecovery, WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true' }
    stack = await startStack({ broker: 'redis', postgres: server, env })
    await stack.post('/v1/webhooks', { url: `${receiver.url}/hook` })
    keys.early = await createKey('early')
    for (const catchUp of ['none', 'one']) {
      const schedule = { name: catchUp, task: 'ml.health_check', args: {}, interval_seconds: 7_200, catch_up: catchUp }
      expect((await stack.post('/v1/schedules', schedule)).status).toBe(201)
    }
    endedIds = await submitted(ended, waiting)
    await waitFor(() => messagesOf(endedIds).length === ended, { what: 'the messages' })
    await stack.workers[0]?.kill('SIGTERM')
    queuedIds = await submitted(queued)
    // Hours in which nothing runs lie between the dump and the day on which it is restored.
    await query(stack.databaseUrl, `UPDATE schedules SET next_run_at = now() - interval '5 hours'`)
    endedTasks = await readEnded()
    runTools(/^pg_dump /)

    // What happens after a dump is lost with its database, but not in Redis.
    await stack.startWorker()
    for (const id of queuedIds) await stack.untilTask(id, 'succeeded')
    const later = await stack.post('/v1/predictions', example, waiting)
    lastId = Number(later.body['id'])
    keys.late = await createKey('late')
    await stack.workers.at(-1)?.kill('SIGTERM')
    await submitted(5)
    await stopAll()
  })
  afterAll(async () => {
    await stack.stop()
    await receiver.close()
    rmSync(folder, { recursive: true })
  })

  it.each(['holds what came after it', 'is empty'])('is restored while Redis %s', async (state) => {
    if (state === 'is empty') {
      const redis = new Redis(String(stack.redis?.url))
      await redis.flushall()
      redis.disconnect()
    }
    await query(server.url, 'DROP DATABASE IF EXISTS memoryguard_restored')
    runTools(/^(createdb|pg_restore|psql) /)
    stack.env['DATABASE_URL'] = restoredUrl()
    expect(await runCommand(['migrate'], stack.env)).toMatchObject({ code: 0, out: 'The database is up to date.\n' })
    const before = receiver.messages.length
    await stack.startApi()
    await stack.startWorker()

    for (const id of queuedIds) {
      const task = await stack.untilTask(id, 'succeeded')
      expect(task).toMatchObject({ attempt: 1, retries: 0, crashes: 0, attempts: [{ outcome: 'succeeded' }] })
    }
    expect(await readEnded()).toEqual(endedTasks)
    const fresh = await stack.post('/v1/predictions', example, waiting)
    expect(fresh.status).toBe(200)
    // Nobody who kept the id of a prediction that is gone is shown another one.
    expect(Number(fresh.body['id'])).toBeGreaterThan(lastId)
    const messages = [String(fresh.body['task_id']), ...queuedIds]
    await waitFor(() => messagesOf(messages, before).length === queued + 1, { what: 'the messages' })
    expect(messagesOf(endedIds, before)).toEqual([])
    expect((await stack.get('/v1/predictions', bearer(keys.early))).status).toBe(200)
    expect((await stack.get('/v1/predictions', bearer(keys.late))).status).toBe(401)
    expect(await runAsAdmin(stack, 'audit', 'verify')).toMatchObject({ code: 0 })
    // Of the hours that passed, the schedule that makes up for one runs once.
    const ticks = `SELECT count(*)::int AS number FROM tasks WHERE name = 'ml.health_check'`
    await waitFor(async () => (await queryNumber(restoredUrl(), ticks)) === 1, { what: 'the tick made up for' })
    await waitFor(async () => (await countEnded(stack)) === ended + queued + 2, { what: 'the statistics' })
    expect(await queryNumber(restoredUrl(), ticks)).toBe(1)
    await stopAll()
  })
})

/** Tasks that the statistics have counted. */
const countEnded = async (stack: Stack): Promise<number> => {
  const { body } = await stack.get('/v1/stats/series?range=1h')
  const series = body['series'] as { points: { tasks: number | null }[] }[]
  return series.flatMap(({ points }) => points).reduce((sum, { tasks }) => sum + (tasks ?? 0), 0)
}
