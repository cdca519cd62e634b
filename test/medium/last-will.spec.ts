import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEmbeddedPostgres } from '#libs/embedded-postgres'
import { isAlive, listChildrenOf } from '../support/process-list.js'
import { waitFor } from '../support/wait-for.js'

const program = (home: string) => `
  const { startEmbeddedPostgres } = await import('${new URL('../../dist/libs/embedded-postgres/src/embedded-postgres.js', import.meta.url).href}')
  const server = await startEmbeddedPostgres({ home: ${JSON.stringify(home)}, durable: false, log: () => undefined })
  console.log(server.pid)
  setInterval(() => undefined, 1000)`

describe('the embedded PostgreSQL', () => {
  let home: string
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), 'memoryguard-will-'))
    chmodSync(home, 0o711)
  })
  afterAll(() => rmSync(home, { recursive: true, force: true }))

  const supervise = async () => {
    const supervisor = spawn(process.execPath, ['--input-type=module', '-e', program(home)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    for await (const line of createInterface(supervisor.stdout)) return { supervisor, server: Number(line) }
    throw new Error('It said nothing')
  }
  const untilGone = (pid: number) => waitFor(() => !isAlive(pid), { what: 'the server to end', timeoutMs: 15_000 })

  it('E8: ends soon after its supervisor was killed, and the next start works', async () => {
    const { supervisor, server } = await supervise()
    supervisor.kill('SIGKILL')
    await untilGone(server)
    const next = await startEmbeddedPostgres({ home, durable: false, log: () => undefined })
    await next.stop()
  })

  it('E8: ends also if the process that waits for that was killed before', async () => {
    const { supervisor, server } = await supervise()
    const keepers = listChildrenOf(supervisor.pid ?? 0).filter((pid) => pid !== server)
    expect(keepers).toHaveLength(1)
    for (const pid of keepers) process.kill(pid, 'SIGKILL')
    await waitFor(() => listChildrenOf(supervisor.pid ?? 0).some((pid) => pid !== server && !keepers.includes(pid)), {
      what: 'another to wait',
    })
    supervisor.kill('SIGKILL')
    await untilGone(server)
  })
})
