import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { example } from '../support/requests.js'
import { startStack, type Stack } from '../support/stack.js'

interface Schema {
  readonly properties: Record<string, { readonly enum?: readonly string[] }>
}
interface DocumentedOperation {
  readonly responses: Record<string, { readonly $ref?: string; readonly content?: Record<string, unknown> }>
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly schema: { readonly minLength?: number }
  }[]
  readonly requestBody?: { readonly required: boolean }
}
type Document = {
  readonly paths: Record<string, Record<string, DocumentedOperation>>
  readonly components: {
    readonly responses: Record<string, { readonly content: Record<string, unknown> }>
    readonly schemas: Record<string, Schema>
  }
}

describe('HTTP as the document has it', () => {
  let stack: Stack
  let document: Document
  beforeAll(async () => {
    const env = {
      TRUST_PROXY: 'loopback',
      CORS_ORIGINS: 'https://app.example.org',
      RATE_LIMIT_WRONG_KEYS_PER_MINUTE: '0',
    }
    stack = await startStack({ broker: 'postgres', workers: 0, env })
    document = JSON.parse((await stack.get('/openapi.json')).text) as Document
  })
  afterAll(() => stack.stop())

  it('E2: each path of the document has the documented methods, and Allow names exactly these', async () => {
    const wrong: unknown[] = []
    for (const [path, item] of Object.entries(document.paths)) {
      const documented = Object.keys(item).map((method) => method.toUpperCase())
      const allow = [...documented, ...(documented.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].sort().join(', ')
      const filled = path.replaceAll(/\{\w+\}/g, '1')
      const others = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'].filter(
        (method) => !allow.split(', ').includes(method),
      )
      for (const method of [...others, 'OPTIONS']) {
        const response = await stack.request(method, filled)
        const seen = [method, path, response.status, response.headers.get('allow')]
        const expected = [method, path, method === 'OPTIONS' ? 204 : 405, allow]
        if (seen.join() !== expected.join()) wrong.push({ seen, expected })
      }
    }
    expect(wrong).toEqual([])
    expect(Object.keys(document.paths).length).toBeGreaterThan(40)
  })

  it('E2: no parameter of any query may be empty, unless the document allows it', async () => {
    const wrong: unknown[] = []
    let count = 0
    for (const [path, item] of Object.entries(document.paths)) {
      for (const [method, { parameters = [] }] of Object.entries(item)) {
        for (const { name, schema } of parameters.filter((each) => each.in === 'query')) {
          const filled = path.replaceAll(/\{\w+\}/g, '1')
          const response = await stack.request(method.toUpperCase(), `${filled}?${name}=`)
          if (schema.minLength === 0) {
            expect([path, name, response.status]).toEqual(['/v1/tasks/suggestions', 'q', 200])
            continue
          }
          const [fault] = (response.body['errors'] ?? []) as readonly { readonly pointer: string }[]
          if (response.status !== 422 || fault?.pointer !== `/${name}`) wrong.push([method, path, name, response.body])
          count += 1
        }
      }
    }
    expect(wrong).toEqual([])
    expect(count).toBeGreaterThan(20)
  })

  it('E2: what a query cannot be is said in the same words by every route that reads', async () => {
    const zodWords = /invalid|expected|received|too (big|small)|unrecognized/i
    const wrong: unknown[] = []
    const faultOf = async (path: string, search: string, name: string) => {
      // Ids are numbers on some routes and UUIDs on others, and both are checked before the query or after it.
      for (const id of ['1', randomUUID(), 'predictions']) {
        const { status, body } = await stack.get(`${path.replaceAll(/\{\w+\}/g, id)}?${search}`)
        const faults = (body['errors'] ?? []) as readonly { readonly pointer: string; readonly message: string }[]
        if (status !== 422) return `${status} ${search}`
        if (faults.some(({ message }) => zodWords.test(message))) return JSON.stringify(faults)
        const fault = faults.find(({ pointer }) => pointer === `/${name}`)
        if (fault) return fault.message
      }
      return 'no fault'
    }
    let count = 0
    for (const [path, item] of Object.entries(document.paths)) {
      const parameters = (item['get']?.parameters ?? []).filter((each) => each.in === 'query')
      if (!item['get'] || !path.startsWith('/v1/') || path === '/v1/session/oidc/callback') continue
      const isLimited = parameters.some(({ name }) => name === 'limit')
      const seen = {
        unknown: await faultOf(path, 'colour=red', 'colour'),
        limit: await faultOf(path, 'limit=abc', 'limit'),
        zero: isLimited ? await faultOf(path, 'limit=0', 'limit') : 'must be at least 1',
        huge: isLimited ? await faultOf(path, 'limit=100000', 'limit') : 'must be at most 500',
        half: isLimited ? await faultOf(path, 'limit=1.5', 'limit') : 'must be a whole number',
        twice: await Promise.all(parameters.map(({ name }) => faultOf(path, `${name}=1&${name}=1`, name))),
      }
      const isRight =
        seen.unknown.startsWith('is not known here') &&
        (isLimited ? seen.limit === 'must be a number' : seen.limit.startsWith('is not known here')) &&
        seen.zero === 'must be at least 1' &&
        /^must be at most \d+$/.test(seen.huge) &&
        seen.half === 'must be a whole number' &&
        seen.twice.every((message) => message === 'must be given once')
      if (!isRight) wrong.push([path, seen])
      count += 1
    }
    expect(wrong).toEqual([])
    expect(count).toBeGreaterThan(30)
  })

  it('E1: a body that the document requires is needed, and another is not', async () => {
    const wrong: unknown[] = []
    for (const [path, item] of Object.entries(document.paths)) {
      for (const [method, { requestBody }] of Object.entries(item)) {
        if (!requestBody) continue
        const filled = path
          .replace('{command}', 'ping')
          .replace('{user_id}', '1')
          .replaceAll(/\{\w+\}/g, randomUUID())
        const { status } = await stack.request(method.toUpperCase(), filled)
        if ([400, 415, 422].includes(status) !== requestBody.required) wrong.push([method, path, status])
      }
    }
    expect(wrong).toEqual([])
  })

  it('E1: an event is as the document has it', async () => {
    const { body } = await stack.request('POST', '/v1/predictions', example)
    const response = await fetch(`${stack.url}/v1/tasks/${String(body['task_id'])}/events`, {
      headers: { authorization: `Bearer ${stack.key}` },
    })
    let text = ''
    for await (const piece of response.body ?? []) {
      text += Buffer.from(piece).toString()
      if (/data: .*\n\n/.test(text)) break
    }
    const [opening, first = ''] = text.split('\n\n')
    expect(opening).toBe('retry: 1000')
    const fields = Object.fromEntries(first.split('\n').map((line) => line.split(/: (.*)/s, 2))) as Record<
      string,
      string
    >
    const stream = document.paths['/v1/tasks/{id}/events']?.['get']?.responses['200']?.content?.['text/event-stream']
    const { properties } = (stream as { readonly schema: Schema }).schema
    expect(Object.keys(properties)).toEqual(expect.arrayContaining(Object.keys(fields)))
    expect(properties['event']?.enum).toContain(fields['event'])
    const data = JSON.parse(fields['data'] ?? '') as object
    expect(Object.keys(data).sort()).toEqual(
      Object.keys(document.components.schemas['TaskEvent']?.properties ?? {}).sort(),
    )
  })

  it('E1: generated requests get only documented statuses and types, and never a 5xx', async () => {
    const operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
    )
    // Their streams have no end.
    const finite = operations.filter(
      ({ path, method }) =>
        !['/v1/events', '/v1/stats/now/events'].includes(path) && !(path === '/v1/batches' && method === 'POST'),
    )
    const value = fc.oneof(
      fc.integer({ min: 0, max: 5 }).map(String),
      fc.uuid(),
      fc.constantFrom('', 'predictions', 'true', '-1', '1e9', '\0', '../x', 'x'.repeat(300)),
      fc.string({ unit: 'binary', maxLength: 20 }),
    )
    const member = fc.constantFrom(
      'user_id',
      'health_metrics',
      'name',
      'args',
      'items',
      'filter',
      'state',
      'cron',
      'task',
      'url',
    )
    const body = fc.oneof(
      fc.dictionary(member, fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constant(example.health_metrics))),
      fc.jsonValue({ maxDepth: 3 }),
      fc.constant(example),
    )
    const requests = fc.record({
      target: fc.constantFrom(...finite),
      values: fc.infiniteStream(value),
      query: fc.boolean(),
      body,
    })
    await fc.assert(
      fc.asyncProperty(fc.array(requests, { minLength: 20, maxLength: 20, size: 'max' }), async (batch) => {
        await Promise.all(
          batch.map(async ({ target: { path, method, operation }, values, query, body: sent }) => {
            const next = () => encodeURIComponent(String(values.next().value))
            const names = query ? (operation.parameters ?? []).filter((each) => each.in === 'query') : []
            const search = names.map(({ name }) => `${name}=${next()}`).join('&')
            const filled = path.replaceAll(/\{\w+\}/g, next)
            const response = await stack.request(
              method,
              `${filled}${search && '?'}${search}`,
              operation.requestBody === undefined ? undefined : JSON.stringify(sent),
            )
            const what = `${method} ${path} (${filled}?${search})`
            // An empty or dotted part makes another path of it.
            if (response.status === 404 || response.status === 405) return
            expect([what, response.status]).toEqual([what, expect.toSatisfy((status: number) => status < 500)])
            const documented = operation.responses[String(response.status)]
            expect([what, response.status, documented !== undefined]).toEqual([what, response.status, true])
            const name = documented?.$ref?.split('/').at(-1) ?? ''
            const types = Object.keys(documented?.content ?? document.components.responses[name]?.content ?? {})
            const type = response.headers.get('content-type')?.split(';')[0]
            expect([
              what,
              response.status,
              type === undefined || types.length === 0 || types.includes(type),
              type,
            ]).toEqual([what, response.status, true, type])
          }),
        )
      }),
      { numRuns: 100 },
    )
  })
})
