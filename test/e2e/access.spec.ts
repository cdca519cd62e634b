import { describe, expect, it } from 'vitest'
import { bearer } from '../support/requests.js'
import { runAsAdmin } from '../support/run-command.js'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'

describe('keys, audit and the command line', () => {
  const stack = useStack({ broker: 'postgres' })

  const create = (body: unknown) => stack.request('POST', '/v1/api-keys', body)
  /** Runs the command line as a user does. */
  const run = (...args: string[]) => runAsAdmin(stack, ...args)
  const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).out) as Record<string, unknown>

  describe('API keys', () => {
    it('are shown once, work within their role, and are refused when revoked', async () => {
      const { status, body } = await create({ name: 'reader', role: 'viewer' })
      expect(status).toBe(201)
      expect(body).toMatchObject({ name: 'reader', role: 'viewer', user_id: null, expires_at: null, revoked_at: null })
      expect(body['key']).toMatch(/^mg_[\w-]{43}$/)
      expect((await stack.request('GET', '/v1/tasks', undefined, bearer(body['key']))).status).toBe(200)
      expect((await stack.request('GET', '/v1/api-keys', undefined, bearer(body['key']))).status).toBe(403)
      const list = await stack.request('GET', '/v1/api-keys')
      expect(list.text).not.toContain(body['key'])
      expect(list.body['items']).toContainEqual(expect.objectContaining({ id: body['id'], name: 'reader' }))
      const path = `/v1/api-keys/${String(body['id'])}`
      expect((await stack.request('DELETE', path)).status).toBe(204)
      expect((await stack.request('GET', '/v1/tasks', undefined, bearer(body['key']))).status).toBe(401)
    })

    it('bound to a person call tasks about that person only', async () => {
      const { body } = await create({ name: 'app', role: 'submitter', user_id: 5 })
      const call = (user_id: number) =>
        stack.request(
          'POST',
          '/v1/tasks',
          { name: 'ml.process_prediction', args: { user_id, health_metrics: { mmse_score: 24 } } },
          bearer(body['key']),
        )
      expect((await call(5)).status).toBe(202)
      expect((await call(6)).status).toBe(403)
      const seen = await stack.request('GET', '/v1/tasks', undefined, bearer(body['key']))
      expect((seen.body['items'] as { user_id: number }[]).map(({ user_id }) => user_id)).toEqual([5])
    })

    it('end at their expiry', async () => {
      const { body } = await create({
        name: 'short',
        role: 'viewer',
        expires_at: new Date(Date.now() + 300).toISOString(),
      })
      await waitFor(
        async () => (await stack.request('GET', '/v1/tasks', undefined, bearer(body['key']))).status === 401,
        { what: 'the key to expire', timeoutMs: 10_000 },
      )
    })

    it.each([
      ['no name', { role: 'viewer' }, '/name'],
      ['an unknown role', { name: 'a', role: 'root' }, '/role'],
      ['an operator bound to a person', { name: 'a', role: 'operator', user_id: 1 }, '/role'],
      ['an expiry in the past', { name: 'a', role: 'viewer', expires_at: '2020-01-01T00:00:00Z' }, '/expires_at'],
    ])('with %s are refused', async (_, body, pointer) => {
      const { status, body: problem } = await create(body)
      expect([status, (problem['errors'] as { pointer: string }[]).map((fault) => fault.pointer)]).toEqual([
        422,
        [pointer],
      ])
    })

    it('do not revoke themselves', async () => {
      const list = await stack.request('GET', '/v1/api-keys')
      const own = (list.body['items'] as { id: string; name: string }[]).find(({ name }) => name === 'first admin key')
      expect((await stack.request('DELETE', `/v1/api-keys/${own?.id}`)).status).toBe(422)
    })
  })

  it('the audit trail shows who did what, newest first, to administrators', async () => {
    const { body } = await create({ name: 'audited', role: 'operator' })
    const { body: page } = await stack.request('GET', '/v1/audit?limit=1')
    expect(page['items']).toMatchObject([
      { action: 'api_key.create', target: body['id'], details: { role: 'operator' } },
    ])
    const next = await stack.request('GET', `/v1/audit?limit=1&cursor=${String(page['next_cursor'])}`)
    expect(next.status).toBe(200)
    expect((await stack.request('GET', '/v1/audit', undefined, bearer(body['key']))).status).toBe(403)
  })

  describe('the command line', () => {
    const args = JSON.stringify({ user_id: 123, health_metrics: { mmse_score: 24, age: 72 } })

    it('calls a task and waits for its result', async () => {
      const { code, out } = await run('call', 'ml.process_prediction', '--args', args, '--wait', '20')
      expect(code).toBe(0)
      expect(out).toMatch(/^succeeded\n/)
      expect(out).toContain('Decision support, not diagnosis.')
    })

    it('calls a task for later, asks for its result, and revokes it', async () => {
      const sent = await json('call', 'ml.health_check', '--countdown', '600', '--priority', '3', '--queue', 'batch')
      expect(sent).toMatchObject({ state: 'scheduled', priority: 3, queue: 'batch' })
      const id = String(sent['id'])
      expect(await json('result', id)).toMatchObject({ state: 'scheduled', ready: false })
      expect(await json('inspect', 'scheduled')).toMatchObject({ tasks: [{ id, name: 'ml.health_check' }] })
      expect(await json('inspect', 'query_task', id)).toMatchObject({ tasks: [{ id, state: 'scheduled' }] })
      expect(await json('control', 'revoke', id)).toEqual({ [id]: 'cancelled' })
      expect(await json('inspect', 'revoked')).toMatchObject({ tasks: [{ id }] })
    })

    it('says what is wrong with a call, and fails', async () => {
      const { code, err } = await run('call', 'ml.process_prediction', '--args', '{"user_id": 0}')
      expect(code).toBe(1)
      expect(err).toContain('/args/user_id')
    })

    it('shows the workers', async () => {
      expect((await run('status')).out).toBe('worker1@test: ready\n')
      expect(await json('inspect', 'ping')).toEqual({ 'worker1@test': { ok: 'pong' } })
      expect(await json('inspect', 'registered')).toMatchObject({
        'worker1@test': expect.arrayContaining(['ml.health_check']),
      })
      expect(await json('inspect', 'active_queues', '-d', 'worker1@test')).toEqual({
        'worker1@test': ['predictions', 'batch', 'explanations', 'forecasts'],
      })
      for (const what of ['active', 'reserved']) expect((await run('inspect', what)).code).toBe(0)
      for (const what of ['stats', 'report'])
        expect((await json('inspect', what))['worker1@test']).toMatchObject({ pool: 'prefork' })
      expect((await run('inspect', 'ping', '-d', 'nobody')).err).toContain('There is no worker nobody')
    })

    it('sends commands to the workers', async () => {
      expect(await json('control', 'pool_grow', '1')).toEqual({ 'worker1@test': { children: 3 } })
      expect(await json('control', 'pool_shrink')).toEqual({ 'worker1@test': { children: 2 } })
      expect(await json('control', 'cancel_consumer', 'batch')).toMatchObject({
        'worker1@test': { queues: expect.any(Array) },
      })
      expect(await json('control', 'add_consumer', 'batch')).toMatchObject({
        'worker1@test': { queues: expect.any(Array) },
      })
      expect(await json('control', 'rate_limit', 'ml.health_check', '0')).toMatchObject({
        'worker1@test': { rate: '0' },
      })
      expect(await json('control', 'time_limit', 'ml.health_check', '5', '6')).toMatchObject({
        'worker1@test': { soft: 5, hard: 6 },
      })
    })

    it('purges queues of what it has counted, when that is confirmed', async () => {
      const send = (queue: string) => run('call', 'ml.health_check', '--countdown', '600', '--queue', queue)
      for (const queue of ['forecasts', 'forecasts', 'batch']) await send(queue)
      const both = ['purge', '-Q', 'forecasts,batch']
      expect(await json(...both, '--dry-run')).toEqual({ forecasts: 2, batch: 1 })
      expect((await run(...both, '--dry-run')).out).toBe('forecasts: 2 waiting\nbatch: 1 waiting\n')
      const asked = await run(...both)
      expect([asked.code, asked.err]).toEqual([
        1,
        expect.stringContaining('Cancel 3 waiting tasks (forecasts 2, batch 1)? Add --yes to confirm.'),
      ])
      expect((await run(...both, '--yes')).out).toBe('forecasts: 2 cancelled\nbatch: 1 cancelled\n')
      await send('forecasts')
      expect(await json(...both, '--yes')).toEqual({ forecasts: 1, batch: 0 })
      expect((await run(...both)).out).toBe('forecasts: 0 cancelled\nbatch: 0 cancelled\n')
      expect((await run('purge', '-Q', 'nothing', '--yes')).code).toBe(1)
    })

    it('makes, lists and revokes keys', async () => {
      const { id, key } = await json('api-keys', 'create', 'from the command line', '--role', 'viewer')
      expect(key).toMatch(/^mg_/)
      expect((await run('api-keys', 'list')).out).toContain('from the command line')
      expect((await run('api-keys', 'revoke', String(id))).code).toBe(0)
      expect((await stack.request('GET', '/v1/tasks', undefined, bearer(key))).status).toBe(401)
    })

    it('shuts a worker down', async () => {
      expect((await run('control', 'shutdown')).code).toBe(0)
      expect(await stack.workers[0]?.exited).toBe(0)
      expect((await run('status')).code).toBe(1)
    })
  })
})
