import { WebhookDeliveryRepository, WebhookRepository } from '#libs/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { query } from '../support/query.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

describe('deliveries of a webhook', () => {
  let database: TestDatabase
  let webhooks: WebhookRepository
  let deliveries: WebhookDeliveryRepository
  beforeAll(async () => {
    database = await createTestDatabase()
    webhooks = new WebhookRepository(database.dataSource)
    deliveries = new WebhookDeliveryRepository(database.dataSource)
  })
  afterAll(() => database.drop())

  /** A webhook with some deliveries that wait. */
  const create = async (waiting: number): Promise<string> => {
    const settings = { description: null, events: ['task.failed'], taskNames: null, isActive: true }
    const { webhook } = await webhooks.create({ url: 'https://example.org/', ...settings })
    for (let made = 0; made < waiting; made += 1) await deliveries.createTest(webhook.id)
    return webhook.id
  }
  const outcomes = async (id: string) =>
    (await deliveries.list(id, { limit: 10 })).map(({ state, error }) => ({ state, error }))
  const age = (id: string) =>
    query(database.url, `UPDATE webhook_deliveries SET created_at = now() - interval '31 days' WHERE webhook_id = $1`, [
      id,
    ])

  it('fail when it is switched off, and are not sent when it is switched on again', async () => {
    const other = await create(1)
    const id = await create(2)
    const failed = { state: 'failed', error: 'The webhook was switched off.' }
    await webhooks.update(id, { isActive: false })
    expect(await outcomes(id)).toEqual([failed, failed])
    // Made by a worker that had not seen it yet.
    await deliveries.createTest(id)
    await webhooks.update(id, { isActive: true })
    expect(await outcomes(id)).toEqual([failed, failed, failed])
    await deliveries.createTest(id)
    await webhooks.update(id, { description: 'on' })
    expect((await outcomes(id))[0]).toEqual({ state: 'pending', error: null })
    expect(await outcomes(other)).toEqual([{ state: 'pending', error: null }])
  })

  it('fail when its receiver is gone, also if several attempts find that at once', async () => {
    const id = await create(4)
    const claimed = await deliveries.claim([], 3, 60)
    const own = claimed.filter(({ webhookId }) => webhookId === id)
    expect(own).toHaveLength(3)
    const error = 'The receiver responded with 410.'
    await Promise.all(
      own.map(({ id: delivery, attempt }) =>
        deliveries.report({ id: delivery, attempt, statusCode: 410, error, retryInSeconds: null, isGone: true }),
      ),
    )
    const found = await outcomes(id)
    expect(found.map(({ state }) => state)).toEqual(Array(4).fill('failed'))
    expect(found[0]?.error).toBe('The receiver responded with 410: it is gone.')
    expect(await webhooks.find(id)).toMatchObject({ isActive: false, disabledReason: found[0]?.error })
    const entries = await query(database.url, 'SELECT action, api_key_id FROM audit_log WHERE target = $1', [id])
    expect(entries).toEqual([{ action: 'webhook.disable', api_key_id: null }])
  })

  it('A7: stay as they are if their end cannot be recorded', async () => {
    const id = await create(2)
    const claimed = (await deliveries.claim([], 1, 60)).find(({ webhookId }) => webhookId === id)
    if (!claimed) throw new Error('nothing was claimed')
    const { id: delivery, attempt } = claimed
    await query(database.url, 'ALTER TABLE audit_log ADD CONSTRAINT out_of_order CHECK (id < 0) NOT VALID')
    const report = () =>
      deliveries.report({ id: delivery, attempt, statusCode: 410, error: 'gone', retryInSeconds: null, isGone: true })
    await expect(report()).rejects.toThrow('out_of_order')
    await query(database.url, 'ALTER TABLE audit_log DROP CONSTRAINT out_of_order')
    expect(await webhooks.find(id)).toMatchObject({ isActive: true })
    expect((await outcomes(id)).map(({ state }) => state)).toEqual(['pending', 'pending'])
    await report()
    expect(await webhooks.find(id)).toMatchObject({ isActive: false })
    expect((await outcomes(id)).map(({ state }) => state)).toEqual(['failed', 'failed'])
  })

  it('are forgotten in pages when they are old, unless they are still tried', async () => {
    await query(database.url, 'DELETE FROM webhooks')
    const tried = await create(1)
    const off = await create(3)
    await query(database.url, 'UPDATE webhooks SET is_active = false WHERE id = $1', [off])
    expect(await deliveries.prune(30, 2)).toBe(false)
    await age(tried)
    await age(off)
    const pages = [await deliveries.prune(30, 2), await deliveries.prune(30, 2)]
    expect(pages).toEqual([true, false])
    expect([(await outcomes(off)).length, (await outcomes(tried)).length]).toEqual([0, 1])
  })
})
