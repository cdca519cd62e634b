import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startNameServer, type NameServer } from '../support/name-server.js'
import { query } from '../support/query.js'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.js'

const receiverCount = 20
const taskCount = 12

describe('B9: a webhook whose name nobody resolves', () => {
  let stack: Stack
  let names: NameServer
  let receiver: WebhookReceiver
  beforeAll(async () => {
    ;[names, receiver] = await Promise.all([startNameServer('127.0.0.1'), startReceiver()])
    stack = await startStack({ broker: 'postgres', workers: 0, env: { WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true' } })
    await stack.startWorker({
      NODE_OPTIONS: `--import=${fileURLToPath(new URL('../support/other-name-server.mjs', import.meta.url))}`,
      TEST_NAME_SERVER: names.address,
    })
  })
  afterAll(async () => {
    await stack.stop()
    await receiver.close()
    names.close()
  })

  const create = async (url: string) => {
    const { status, body } = await stack.request('POST', '/v1/webhooks', { url })
    expect(status).toBe(201)
    return String(body['id'])
  }
  /** Deliveries to the receiver that does not exist: of each whether it still waits for the end of its first attempt. */
  const slowDeliveries = (id: string) =>
    query<{ isFirst: boolean }>(
      stack.databaseUrl,
      `SELECT state = 'pending' AND error IS NULL AS "isFirst" FROM webhook_deliveries WHERE webhook_id = $1`,
      [id],
    )

  it('delays none of twenty others', async () => {
    const { port } = new URL(receiver.url)
    const slow = await create(`http://slow.example:${port}/`)
    await create(`http://unknown.example:${port}/`)
    for (let index = 0; index < receiverCount; index += 1) await create(`http://fast${index}.example:${port}/${index}`)
    const receivedAt: number[] = []
    receiver.respond = ({ body }, response) => {
      receivedAt.push(Date.now() - Date.parse(body.timestamp))
      response.writeHead(204).end()
    }
    for (let index = 0; index < taskCount; index += 1)
      expect((await stack.request('POST', '/v1/tasks', { name: 'ml.health_check' })).status).toBe(202)
    await waitFor(() => receiver.messages.length >= receiverCount * taskCount, { what: 'all messages' })

    const deliveries = await slowDeliveries(slow)
    expect(deliveries).toHaveLength(taskCount)
    // More are due at once than may be under way, so the last of them are begun when the first have failed.
    expect(deliveries.filter(({ isFirst }) => isFirst).length).toBeGreaterThan(0)
    expect(names.asked).toContain('slow.example')
    expect(new Set(receiver.messages.map(({ path }) => path)).size).toBe(receiverCount)
    const late = receivedAt.toSorted((a, b) => a - b)
    process.stdout.write(
      `from the end of a task to its message: median ${late[late.length >> 1]} ms, most ${late.at(-1)} ms\n`,
    )
  })
})
