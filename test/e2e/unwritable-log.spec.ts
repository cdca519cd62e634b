import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findFreePort, serverFlags } from '#libs/platform'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const main = fileURLToPath(new URL('../../dist/bin/memoryguard.js', import.meta.url))

describe('B8: when its log cannot be written', () => {
  let stack: Stack
  let folder: string
  const servers: ChildProcess[] = []

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'memoryguard-log-'))
    stack = await startStack({ broker: 'postgres', env: { MEMORYGUARD_HOME: folder } })
  })
  afterAll(async () => {
    for (const server of servers) {
      if (server.exitCode !== null || server.signalCode !== null) continue
      server.kill('SIGTERM')
      await once(server, 'exit')
    }
    await stack.stop()
    rmSync(folder, { recursive: true })
  })

  /** A second api whose output goes where the test says. */
  const startApi = async (output: number) => {
    const port = await findFreePort('127.0.0.1')
    const env = { ...stack.env, PORT: String(port), LOG_LEVEL: 'trace' }
    const child = spawn(process.execPath, [...serverFlags, main, 'api'], { env, stdio: ['ignore', output, output] })
    servers.push(child)
    const url = `http://127.0.0.1:${port}`
    await waitFor(async () => (await fetch(`${url}/readyz`)).ok, { what: 'the second api' })
    return { child, url }
  }
  const reject = (url: string) => fetch(`${url}/v1/nothing-${'x'.repeat(300)}`).then(({ status }) => status)

  it('an api whose disk is full goes on, and ends in order', async () => {
    const full = openSync('/dev/full', 'w')
    const { child, url } = await startApi(full)
    closeSync(full)
    for (let index = 0; index < 20; index += 1) expect(await reject(url)).toBeGreaterThanOrEqual(400)
    const posted = await fetch(`${url}/v1/predictions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stack.key}`, 'content-type': 'application/json', prefer: 'wait=20' },
      body: JSON.stringify({ user_id: 1, health_metrics: { mmse_score: 24, age: 72 } }),
    })
    expect(posted.status).toBe(200)
    child.kill('SIGTERM')
    expect((await once(child, 'exit'))[0]).toBe(0)
  })

  it('an api whose reader has stopped responds, and goes on logging when it reads on; one that is gone is no end', async () => {
    const path = join(folder, 'pipe')
    expect(spawnSync('mkfifo', [path]).status).toBe(0)
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const writer = openSync(path, 'w')
    // Full to the last byte: the next one that waits for its reader waits for ever.
    const filler = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
    const { child, url } = await startApi(writer)
    closeSync(writer)
    expect(
      spawnSync('sh', ['-c', 'yes >&3 2>/dev/null || true'], { stdio: ['ignore', 'ignore', 'ignore', filler] }).error,
    ).toBeUndefined()
    closeSync(filler)
    for (let index = 0; index < 20; index += 1) {
      expect(await reject(url)).toBeGreaterThanOrEqual(400)
      expect((await fetch(`${url}/livez`)).status).toBe(200)
    }
    let text = ''
    const read = () => {
      const chunk = Buffer.alloc(65_536)
      try {
        text += chunk.toString('utf8', 0, readSync(reader, chunk))
      } catch (error) {
        expect(error).toMatchObject({ code: 'EAGAIN' })
      }
      return text
    }
    await waitFor(() => read().includes('request rejected'), { what: 'what waited' })
    closeSync(reader)
    expect(await reject(url)).toBeGreaterThanOrEqual(400)
    expect((await fetch(`${url}/livez`)).status).toBe(200)
    child.kill('SIGTERM')
    expect((await once(child, 'exit'))[0]).toBe(0)
  })
})
