import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { insertKey, query } from '../support/query.js'
import { itemsOf } from '../support/requests.js'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'

describe('webhooks on the open internet', () => {
  const stack = useStack({
    broker: 'postgres',
    env: { WEBHOOK_RETRY_SECONDS: '0.2', WEBHOOK_TIMEOUT_SECONDS: '1' },
  })

  it.each([
    [{ url: 'http://example.org/' }, '/url'],
    [{ url: 'https://127.0.0.1/' }, '/url'],
    [{ url: 'https://2130706433/' }, '/url'],
    [{ url: 'https://[::ffff:10.0.0.1]/' }, '/url'],
    [{ url: 'https://169.254.169.254/latest' }, '/url'],
    [{ url: 'https://localhost:3000/' }, '/url'],
    [{ url: 'https://name:word@example.org/' }, '/url'],
    [{ url: 'ftp://example.org/' }, '/url'],
    [{ url: 'example.org' }, '/url'],
    [{}, '/url'],
    [{ url: 'https://example.org/', events: ['task.running'] }, '/events/0'],
    [{ url: 'https://example.org/', tasks: ['ml.nothing'] }, '/tasks/0'],
    [{ url: 'https://example.org/', secret: 'whsec_AAAA' }, '/secret'],
  ])('refuse %j', async (body, pointer) => {
    const { status, body: problem, text } = await stack.request('POST', '/v1/webhooks', body)
    expect([status, (problem['errors'] as { pointer: string }[])[0]?.pointer]).toEqual([422, pointer])
    expect(text).not.toContain('word@')
  })

  it('connect to no name that leads inside', async () => {
    let connections = 0
    const server = createServer((socket) => {
      connections += 1
      socket.destroy()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { body } = await stack.request('POST', '/v1/webhooks', { url: 'https://example.org/' })
    const id = String(body['id'])
    // As if the name had been given another address since.
    await query(stack.databaseUrl, 'UPDATE webhooks SET url = $2 WHERE id = $1', [
      id,
      `https://localhost:${(server.address() as AddressInfo).port}/`,
    ])
    await stack.request('POST', `/v1/webhooks/${id}/test`)
    const failed = await waitFor(
      async () => itemsOf(await stack.request('GET', `/v1/webhooks/${id}/deliveries?state=failed`))[0],
      { what: 'the refusal' },
    )
    expect(failed).toMatchObject({
      attempts: 2,
      status_code: null,
      error: 'The address is not public; see WEBHOOK_ALLOW_PRIVATE_ADDRESSES.',
    })
    expect(connections).toBe(0)
    server.close()
  })

  it('are made by administrators and read by operators', async () => {
    const keys = await Promise.all(
      (['submitter', 'operator'] as const).map((role) => insertKey(stack.databaseUrl, { role })),
    )
    const [submitter, operator] = keys.map((key) => ({ authorization: `Bearer ${key}` }))
    const statuses = await Promise.all([
      stack.request('GET', '/v1/webhooks', undefined, submitter),
      stack.request('GET', '/v1/webhooks', undefined, operator),
      stack.request('POST', '/v1/webhooks', { url: 'https://example.org/' }, operator),
    ])
    expect(statuses.map(({ status }) => status)).toEqual([403, 200, 403])
  })
})
