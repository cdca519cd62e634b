import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { expect, it } from 'vitest'
import { badPredictions, withMetrics } from '../support/bad-predictions.js'
import { describeOnBothBrokers } from '../support/brokers.js'
import { countSubmissions, example, expectProblem, waiting } from '../support/requests.js'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'

describeOnBothBrokers('bad input of the API', (broker) => {
  const stack = useStack({ broker, logs: 'keep', env: { LOG_LEVEL: 'trace' } })

  const post = (body: unknown, headers: Record<string, string> = {}) => stack.post('/v1/predictions', body, headers)

  it.each(badPredictions)('$what is refused: nothing is stored and no value is shown', async (bad) => {
    const before = await countSubmissions(stack)
    const response = await post(bad.body, bad.contentType ? { 'content-type': bad.contentType } : {})
    expect(response.body).toMatchObject({ status: bad.status, code: bad.code })
    expect(response.status).toBe(bad.status)
    expectProblem(response)
    const errors = response.body['errors'] as { pointer: string; message: string }[]
    if (bad.pointer !== undefined) expect(errors.map(({ pointer }) => pointer)).toEqual([bad.pointer])
    if (bad.accepts)
      expect([response.body['detail'], ...errors.map(({ message }) => message)].join(' ')).toMatch(bad.accepts)
    if (bad.secret !== undefined) expect(response.text).not.toContain(bad.secret)
    expect(await countSubmissions(stack)).toBe(before)
  })

  it('is reported with every fault at once', async () => {
    const { body } = await post(withMetrics({ mmse_score: 31, age: 400, 'a/b~c': 1 }))
    expect((body['errors'] as { pointer: string }[]).map(({ pointer }) => pointer)).toEqual([
      '/health_metrics/mmse_score',
      '/health_metrics/age',
      '/health_metrics/a~1b~0c',
    ])
  })

  it('is bounded, whatever is sent: neither many metrics nor many faults make a large response', async () => {
    const unknown = (count: number, value: number | null = 1) =>
      withMetrics(Object.fromEntries(Array.from({ length: count }, (_, index) => [`x${index}`, value])))
    for (const value of [1, null]) {
      expect((await post(unknown(60_000, value))).status).toBe(413)
      const { status, body } = await post(unknown(1_000, value))
      expect(status).toBe(422)
      expect(body['errors']).toEqual([{ pointer: '/health_metrics', message: 'must have at most 200 members' }])
    }
    const many = await post(unknown(200))
    expect(many.body['errors']).toHaveLength(51)
    expect((many.body['errors'] as object[]).at(-1)).toEqual({ pointer: '', message: 'and 150 more faults' })
    expect(many.text.match(/mmse_score/g)).toHaveLength(1)
  })

  it('in a path or a query is refused with what would be accepted', async () => {
    for (const [path, status, code] of [
      ['/v1/predictions/abc', 422, 'REQUEST_INVALID'],
      ['/v1/predictions/0', 422, 'REQUEST_INVALID'],
      ['/v1/predictions/999999999', 404, 'RESOURCE_NOT_FOUND'],
      // It may be the id of a Celery caller.
      ['/v1/tasks/not-a-uuid', 404, 'RESOURCE_NOT_FOUND'],
      [`/v1/tasks/${'x'.repeat(256)}`, 422, 'REQUEST_INVALID'],
      [`/v1/tasks/${randomUUID()}`, 404, 'RESOURCE_NOT_FOUND'],
      [`/v1/tasks/${randomUUID()}/result?wait=26`, 422, 'REQUEST_INVALID'],
      ['/v1/predictions?limit=0', 422, 'REQUEST_INVALID'],
      ['/v1/predictions?limit=501', 422, 'REQUEST_INVALID'],
      ['/v1/predictions?cursor=abc', 422, 'REQUEST_INVALID'],
      ['/v1/predictions?state=done', 422, 'REQUEST_INVALID'],
      ['/v1/predictions?user_id=x', 422, 'REQUEST_INVALID'],
      ['/v1/predictions?colour=red', 422, 'REQUEST_INVALID'],
      ['/v1/nothing', 404, 'RESOURCE_NOT_FOUND'],
      ['/v1/predictions/canary-path%', 400, 'REQUEST_MALFORMED'],
      [`/v1/predictions/${'1'.repeat(2_100)}`, 400, 'REQUEST_MALFORMED'],
    ] as const) {
      const response = await stack.get(path)
      expect([path, response.status, response.body['code']]).toEqual([path, status, code])
      expectProblem(response)
      expect(response.text).not.toContain('canary')
    }
  })

  it('is no body where none is needed, and no compressed one anywhere', async () => {
    const json = { 'content-type': 'application/json' }
    const { body } = await post(example, waiting)
    const empty = await stack.request('POST', `/v1/predictions/${String(body['id'])}/explanation`, '', json)
    expect(empty.status).toBe(202)
    const packed = await post(example, { 'content-encoding': 'gzip' })
    expect([packed.status, packed.body['code']]).toEqual([415, 'REQUEST_MEDIA_TYPE_UNSUPPORTED'])
  })

  it('that is cut off by its caller is no fault of the database', async () => {
    const id = `cut-off-${randomUUID()}`
    const cutOff = () => {
      const socket = connect(Number(new URL(stack.url).port), '127.0.0.1')
      const head = [
        'POST /v1/predictions HTTP/1.1',
        'Host: x',
        `Authorization: Bearer ${stack.key}`,
        `X-Request-Id: ${id}`,
      ]
      const length = ['Content-Type: application/json', 'Content-Length: 100', 'Expect: 100-continue']
      // Reset before the server has read the head, there would be no request at all.
      socket.on('error', () => undefined).once('data', () => socket.resetAndDestroy())
      socket.write(`${[...head, ...length].join('\r\n')}\r\n\r\n{"user_id"`)
    }
    // Of many rejected requests within a second, as the tests before have sent them, only some have a line.
    const line = await waitFor(
      () => {
        cutOff()
        return stack
          .readLogs()
          .split('\n')
          .find((text) => text.includes(id))
      },
      { what: 'the request to be logged as cut off', intervalMs: 300 },
    )
    expect(JSON.parse(line)).toMatchObject({ msg: 'request rejected', status: 400 })
    expect(stack.readLogs()).not.toContain('The database is not available')
  })

  it('leaves no input value and no key in any log', () => {
    const logs = stack.readLogs()
    expect(logs).toContain('"msg":"ready"')
    const secrets = badPredictions.flatMap(({ secret }) => secret ?? [])
    expect(secrets.length).toBeGreaterThan(5)
    for (const secret of [...secrets, '31415926', stack.key]) expect(logs).not.toContain(secret)
  })
})
