import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { baseUrl } from './connect.js'
import { RestClient } from './rest-client.js'

describe('REST client', () => {
  let server: Server | undefined

  const serve = async (listener: RequestListener) => {
    server = createServer(listener).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  afterEach(() => {
    server?.close()
    server = undefined
  })

  it('E3: keeps the path prefix of its URL', async () => {
    const url = await serve(({ url: path }, response) => response.end(JSON.stringify({ path })))
    for (const base of [`${url}/mg`, `${url}/mg/`]) {
      expect((await new RestClient(base, 'mg_key').send({ path: '/v1/tasks' })).body).toEqual({ path: '/mg/v1/tasks' })
    }
  })

  it('sends its key and JSON, and gives status and body', async () => {
    const url = await serve((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const { method, url: path, headers } = request
        response.statusCode = 202
        response.end(
          JSON.stringify({ method, path, key: headers.authorization, sent: Buffer.concat(chunks).toString() }),
        )
      })
    })
    const response = await new RestClient(url, 'mg_key').send({ method: 'POST', path: '/v1/tasks?a=b', body: { c: 1 } })
    expect(response).toEqual({
      status: 202,
      body: { method: 'POST', path: '/v1/tasks?a=b', key: 'Bearer mg_key', sent: '{"c":1}' },
    })
  })

  it('shows title, detail and faulty fields of a problem', async () => {
    const url = await serve((_request, response) => {
      response.statusCode = 422
      response.setHeader('content-type', 'application/problem+json')
      const errors = [{ pointer: '/health_metrics/mmse_score', message: 'must be from 0 to 30' }]
      response.end(JSON.stringify({ title: 'Invalid request', detail: 'One field is wrong.', errors }))
    })
    await expect(new RestClient(url, undefined).send({ path: '/' })).rejects.toThrow(
      'Invalid request: One field is wrong.\n  /health_metrics/mmse_score: must be from 0 to 30',
    )
  })

  it('shows the status of a response that is no problem document', async () => {
    const url = await serve((_request, response) => {
      response.statusCode = 502
      response.end('<html>')
    })
    await expect(new RestClient(url, undefined).send({ path: '/' })).rejects.toThrow('The API responded with 502.')
  })

  it('says what to do if nothing responds', async () => {
    const url = await serve(() => undefined)
    server?.close()
    await expect(new RestClient(url, undefined).send({ path: '/' })).rejects.toThrow('Start it with "npm start"')
  })
})

describe('base URL', () => {
  it.each([
    ['127.0.0.1', 'http://127.0.0.1:3000'],
    ['0.0.0.0', 'http://127.0.0.1:3000'],
    ['::', 'http://127.0.0.1:3000'],
    ['::1', 'http://[::1]:3000'],
    ['api.example.org', 'http://api.example.org:3000'],
  ])('of an API on %s is %s', (host, url) => {
    expect(baseUrl(host, 3000)).toBe(url)
  })
})
