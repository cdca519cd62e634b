import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CeleryCaller } from '../support/celery-caller.js'
import { openCeleryMailbox, type CeleryMailbox } from '../support/celery-mailbox.js'
import { second } from '../support/requests.js'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const predict = 'ml.process_prediction'
const name = 'worker1@test'
/** Work for more than ten seconds, by a number that stands nowhere else. */
const canary = 10 * second + 0.720613

interface TaskEvent {
  readonly uuid: string
  readonly type: string
}

describe('celery inspect, celery control and events', () => {
  let caller: CeleryCaller
  let stack: Stack
  let mailbox: CeleryMailbox
  let watcher: Redis
  /** Everything that was published or replied. */
  const seen: string[] = []
  const events: TaskEvent[] = []

  beforeAll(async () => {
    caller = await CeleryCaller.start()
    watcher = new Redis(caller.env['CELERY_BROKER_URL'] ?? '')
    watcher.on('pmessage', (_pattern, _channel, text) => {
      const body = Buffer.from((JSON.parse(text) as { body: string }).body, 'base64').toString()
      seen.push(text, body)
      events.push(...([JSON.parse(body)] as (TaskEvent | TaskEvent[])[]).flat())
    })
    await watcher.psubscribe('/1.celeryev/*')
    mailbox = await openCeleryMailbox(caller.env['CELERY_BROKER_URL'] ?? '')
    stack = await startStack({
      broker: 'postgres',
      testModels: true,
      env: { ...caller.env, DEFAULT_MODEL: 'slow', TASK_REVOKE_GRACE_SECONDS: '1', CELERY_TASK_EVENTS: 'true' },
    })
  })
  afterAll(async () => {
    await stack.stop()
    watcher.disconnect()
    mailbox.close()
    await caller.stop()
  })

  const ask = async (method: string, given: object = {}): Promise<unknown> => {
    const reply = (await mailbox.ask(method, { arguments: given, destination: [name] }))?.body[name]
    seen.push(JSON.stringify(reply ?? null))
    return reply
  }
  const typesOf = (id: string) => events.filter(({ uuid }) => uuid === id).map(({ type }) => type)
  const begin = (id: string, eta?: Date) =>
    caller.call(predict, [1, 5, { mmse_score: canary }], { id, ...(eta && { eta: eta.toISOString() }) })

  it('show a worker and its queues', async () => {
    expect(await ask('ping')).toEqual({ ok: 'pong' })
    expect(await ask('stats')).toMatchObject({
      pid: stack.workers[0]?.pid,
      pool: { 'max-concurrency': 2 },
      prefetch_count: 8,
    })
    const queues = (await ask('active_queues')) as { name: string }[]
    expect(queues.map((queue) => queue.name)).toEqual(['celery', 'predictions', 'batch', 'explanations', 'forecasts'])
    await waitFor(() => events.some(({ type }) => type === 'worker-heartbeat'), { what: 'a heartbeat' })
  })

  it('show what runs, end it, and show that too', async () => {
    const id = await begin('running')
    const active = await waitFor(async () => ((await ask('active')) as { id: string }[])[0], { what: 'it to run' })
    expect(active).toMatchObject({
      id,
      name: predict,
      args: ['...'],
      hostname: name,
      worker_pid: stack.workers[0]?.pid,
    })
    expect(await ask('query_task', { ids: [id, 'other'] })).toEqual({ [id]: ['active', active] })
    // Without terminate it goes on, as in Celery.
    await ask('revoke', { task_id: id })
    expect(await ask('active')).toHaveLength(1)
    expect(await ask('revoke', { task_id: [id], terminate: true, signal: 'SIGTERM' })).toEqual({
      ok: 'terminate: running',
    })
    expect(await caller.result(id, 3_000)).toMatchObject({ status: 'REVOKED' })
    await waitFor(() => typesOf(id).length === 3, { what: 'the events' })
    expect(typesOf(id)).toEqual(['task-received', 'task-started', 'task-revoked'])
    expect(events.find(({ type }) => type === 'task-revoked')).toMatchObject({ terminated: true, expired: false })
  })

  it('revoke what is to run later, and what has not come yet', async () => {
    const id = await begin('later', new Date(Date.now() + 60_000))
    await waitFor(async () => ((await ask('scheduled')) as unknown[]).length === 1, { what: 'it to be scheduled' })
    expect(await ask('revoke', { task_id: [id, 'early'] })).toEqual({
      ok: "tasks {'later', 'early'} flagged as revoked",
    })
    expect(await caller.result(id)).toMatchObject({ status: 'REVOKED' })
    expect(await caller.result('early')).toMatchObject({ status: 'REVOKED' })
    expect(await ask('scheduled')).toEqual([])
    expect(await ask('revoked')).toEqual(expect.arrayContaining(['running', 'later', 'early']))
    await begin('early')
    await waitFor(async () => (await stack.get('/v1/tasks/early')).body['state'] === 'cancelled', {
      what: 'the call that came after its revoke',
    })
    expect(typesOf('early')).not.toContain('task-started')
  })

  it('add a queue, and cancel it', async () => {
    expect(await ask('add_consumer', { queue: 'night' })).toEqual({ ok: 'add consumer night' })
    const id = await caller.call('ml.health_check', [], { queue: 'night' })
    expect(await caller.result(id)).toMatchObject({ status: 'SUCCESS' })
    await waitFor(() => typesOf(id).includes('task-succeeded'), { what: 'the event of its end' })
    await ask('cancel_consumer', { queue: 'night' })
    expect((await ask('active_queues')) as { name: string }[]).not.toContainEqual(
      expect.objectContaining({ name: 'night' }),
    )
  })

  it('end a worker, which takes leave', async () => {
    expect(await ask('shutdown')).toBeUndefined()
    expect(await stack.workers[0]?.exited).toBe(0)
    await waitFor(() => events.at(-1)?.type === 'worker-offline', { what: 'the last event' })
  })

  it('tell nothing of the health of anyone', () => {
    expect(seen.length).toBeGreaterThan(20)
    expect(seen.filter((text) => text.includes('720613'))).toEqual([])
  })
})
