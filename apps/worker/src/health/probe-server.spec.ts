import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ProbeServer } from './probe-server.js'
import { WorkerMetrics } from './worker-metrics.js'

describe('the probes of a worker', () => {
  let probes: ProbeServer
  let url: string
  let port: number
  let state: 'starting' | 'ready' | 'draining'
  let checks: number

  beforeEach(async () => {
    state = 'starting'
    checks = 0
    probes = new ProbeServer({
      state: () => state,
      readiness: async () => {
        checks += 1
        if (checks > 100) throw new Error('the check failed')
        return { isReady: state === 'ready', body: { state } }
      },
      metrics: new WorkerMetrics(),
    })
    await probes.listen('127.0.0.1', 0)
    port = probes.port
    url = `http://127.0.0.1:${port}`
  })
  afterEach(() => probes.close())

  const statusOf = async (path: string): Promise<number> => (await fetch(url + path)).status

  it('A2: share a check and a text, and know a change of state at once', async () => {
    expect(await statusOf('/readyz')).toBe(503)
    state = 'ready'
    const many = await Promise.all(Array.from({ length: 50 }, () => statusOf('/readyz')))
    expect(new Set(many)).toEqual(new Set([200]))
    expect(checks).toBeLessThan(20)
    state = 'draining'
    expect(await statusOf('/readyz')).toBe(503)
    const texts = await Promise.all(Array.from({ length: 20 }, async () => (await fetch(`${url}/metrics?a=1`)).text()))
    expect(new Set(texts).size).toBeLessThan(10)
    expect(texts[0]).toContain('memoryguard_task_attempts_total')
  })

  it('A2: respond to what is no path, and to a failed check', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.write('GET // HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(String(((await once(socket, 'data')) as [Buffer])[0])).toMatch(/^HTTP\/1\.1 404 /)
    socket.destroy()
    checks = 100
    expect(await statusOf('/readyz')).toBe(500)
    expect(await statusOf('/livez')).toBe(200)
  })

  it('A2: respond however many connections stay open', async () => {
    const sockets = Array.from({ length: 150 }, () => connect(port, '127.0.0.1').on('error', () => undefined))
    await expect.poll(() => sockets.filter(({ closed }) => closed).length).toBeGreaterThanOrEqual(50)
    expect(await statusOf('/livez')).toBe(200)
    for (const socket of sockets) socket.destroy()
  })
})
