import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { batchIdOf, csvHeader, csvOf, goodRow, uploadCsv } from '../support/csv-batches.js'
import { insertKey, queryNumber } from '../support/query.js'
import { bearer, waiting } from '../support/requests.js'
import { type HttpResponse } from '../support/stack.js'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'

describeOnBothBrokers('a batch', (broker) => {
  const stack = useStack({ broker })

  const upload = (body: string, headers: Record<string, string> = {}, search = '') =>
    uploadCsv(stack, body, headers, search)
  const countKept = () =>
    queryNumber(
      stack.databaseUrl,
      `SELECT (SELECT count(*) FROM batches)::int + (SELECT count(*) FROM batch_chunks)::int
         + (SELECT count(*) FROM tasks)::int AS number`,
    )

  it('that cannot be taken leaves nothing behind', async () => {
    const before = await countKept()
    const refused = async (response: Promise<HttpResponse>) => {
      const { status, body } = await response
      return [status, body['code']]
    }
    const metrics = { mmse_score: 24 }
    const post = (body: unknown) => refused(stack.request('POST', '/v1/batches', body))
    expect(await post({ user_ids: [1, 2], health_metrics_list: [metrics] })).toEqual([422, 'REQUEST_INVALID'])
    expect(await post({ items: [] })).toEqual([422, 'REQUEST_INVALID'])
    expect(await post({ items: [1], user_ids: [1] })).toEqual([422, 'REQUEST_INVALID'])
    expect(await post({})).toEqual([422, 'REQUEST_INVALID'])
    expect(await refused(upload(csvHeader))).toEqual([422, 'REQUEST_INVALID'])
    expect(await refused(upload('user_id,user_id\n'))).toEqual([422, 'REQUEST_INVALID'])
    expect(await refused(upload(`${csvOf(2_500, goodRow)}1,"2`))).toEqual([400, 'REQUEST_MALFORMED'])
    expect(await refused(upload('PK\u0003\u0004\u0000\u0000'))).toEqual([400, 'REQUEST_MALFORMED'])
    expect(await refused(upload(csvOf(1, goodRow), {}, '?model=oracle'))).toEqual([422, 'MODEL_UNKNOWN'])
    expect(await refused(stack.request('POST', '/v1/predictions', 'a', { 'content-type': 'text/csv' }))).toEqual([
      415,
      'REQUEST_MEDIA_TYPE_UNSUPPORTED',
    ])
    expect(await countKept()).toBe(before)
  })

  it('is discarded when its upload is cut off', async () => {
    const before = await countKept()
    const controller = new AbortController()
    async function* pieces() {
      yield csvOf(2_500, goodRow)
      await waitFor(async () => (await countKept()) > before, { what: 'the first chunk to be stored' })
      controller.abort()
      await pause(0)
    }
    const sent = fetch(`${stack.url}/v1/batches`, {
      method: 'POST',
      headers: { ...bearer(stack.key), 'content-type': 'text/csv' },
      body: Readable.from(pieces()),
      duplex: 'half' as const,
      signal: controller.signal,
    })
    await expect(sent).rejects.toThrow()
    await waitFor(async () => (await countKept()) === before, { what: 'the rows to be discarded' })
  })

  it('of a bound key holds and shows nobody else', async () => {
    const bound = await insertKey(stack.databaseUrl, { role: 'submitter', userId: 7 })
    const own = await upload(`${csvHeader}7,24,70\n7,25,70\n`, { ...waiting, ...bearer(bound) })
    expect(own.body).toMatchObject({ succeeded: 2 })
    const foreign = await upload(`${csvHeader}7,24,70\n8,24,70\n`, bearer(bound))
    expect(foreign.status).toBe(403)
    const others = batchIdOf(await upload(csvOf(2, goodRow), waiting))
    for (const path of [`/v1/batches/${others}`, `/v1/batches/${others}/results`]) {
      expect((await stack.get(path, bearer(bound))).status).toBe(404)
    }
    const list = await stack.get('/v1/batches', bearer(bound))
    expect(list.body['items']).toMatchObject([{ id: own.body['id'] }])
  })
})

describe('a batch of 1,000,001 rows', () => {
  const stack = useStack({ broker: 'postgres', workers: 0 })

  it('is refused, and nothing of it is kept', async () => {
    function* pieces() {
      yield csvHeader
      const row = '1,24,70\n'
      for (let thousand = 0; thousand < 1_000; thousand += 1) yield row.repeat(1_000)
      yield row
    }
    const response = await fetch(`${stack.url}/v1/batches`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stack.key}`, 'content-type': 'text/csv' },
      body: Readable.from(pieces()),
      duplex: 'half' as const,
    })
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({ code: 'REQUEST_TOO_LARGE' })
    for (const table of ['batches', 'batch_chunks', 'tasks', 'predictions']) {
      expect(await queryNumber(stack.databaseUrl, `SELECT count(*)::int AS number FROM ${table}`)).toBe(0)
    }
  })
})
