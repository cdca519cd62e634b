import { fastify } from 'fastify'
import { describe, expect, it } from 'vitest'
import { keepDocuments } from './prepared-documents.js'

describe('the documents of the routes', () => {
  it('A2: are written once for each server URL, and a bounded number is kept', async () => {
    const app = fastify()
    let written = 0
    keepDocuments(app, ({ headers }) => String(headers['x-prefix'] ?? ''))
    for (const path of ['/openapi.json', '/docs/swagger-ui-init.js', '/other']) {
      app.get(path, async (request, reply) => {
        written += 1
        return reply.type('application/json').send(JSON.stringify([path, request.headers['x-prefix']]))
      })
    }
    const get = async (url: string, prefix?: string, method: 'GET' | 'HEAD' = 'GET') => {
      const { body, headers } = await app.inject({ method, url, ...(prefix && { headers: { 'x-prefix': prefix } }) })
      return [body, headers['content-type'], headers['content-length']]
    }
    const first = await get('/openapi.json', '/a')
    expect(first[0]).toBe('["/openapi.json","/a"]')
    expect(await get('/openapi.json', '/a')).toEqual(first)
    expect(await get('/openapi.json', '/a', 'HEAD')).toEqual(['', ...first.slice(1)])
    expect(written).toBe(1)
    expect((await get('/openapi.json', '/b'))[0]).toBe('["/openapi.json","/b"]')
    expect((await get('/docs/swagger-ui-init.js', '/a'))[0]).toBe('["/docs/swagger-ui-init.js","/a"]')
    expect(written).toBe(3)
    await get('/other')
    await get('/other')
    expect(written).toBe(5)
    for (let index = 0; index < 20; index += 1) await get('/openapi.json', `/p${index}`)
    await get('/openapi.json', '/a')
    expect(written).toBe(26)
    await app.close()
  })
})
