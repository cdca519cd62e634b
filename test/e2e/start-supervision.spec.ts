import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findFreePort } from '#libs/platform'
import { expect, it } from 'vitest'
import { blankSettings } from '../support/blank-settings.js'
import { waitFor } from '../support/wait-for.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

it("E4: start takes any port for the worker's probes with 0, and goes on when the worker is asked to stop", async () => {
  const home = mkdtempSync(join(tmpdir(), 'memoryguard-supervision-'))
  chmodSync(home, 0o711)
  const port = String(await findFreePort('127.0.0.1'))
  const env = {
    ...blankSettings,
    PATH: process.env['PATH'] ?? '',
    MEMORYGUARD_HOME: home,
    WORKER_CONCURRENCY: '1',
    WORKER_HEALTH_PORT: '0',
  }
  const run = (...args: readonly string[]) => {
    const child = spawn(process.execPath, ['bin/memoryguard.js', ...args], { cwd: root, env })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()))
    return { child, output: () => output, closed: once(child, 'close').then(([code]) => code as number | null) }
  }
  const command = async (...args: readonly string[]) => {
    const { output, closed } = run(...args)
    return { code: await closed, output: output() }
  }
  const start = run('start', '--port', port)
  const untilSaid = (words: string) =>
    waitFor(() => start.output().includes(words), { what: `"${words}"`, timeoutMs: 90_000 })
  const workers = async () => {
    const { output } = await command('inspect', 'report', '--json')
    return Object.values(JSON.parse(output) as Record<string, { pid: number; state: string }>)
  }
  try {
    await untilSaid('Ctrl-C stops everything')
    const [before] = await workers()
    expect(await command('control', 'shutdown')).toMatchObject({ code: 0 })
    await untilSaid('A command stopped the worker: starting it again. Press Ctrl-C here to stop everything.')
    const after = await waitFor(
      async () => (await workers()).find(({ state, pid }) => state === 'ready' && pid !== before?.pid),
      {
        what: 'the next worker',
      },
    )
    expect(after.pid).toBeGreaterThan(0)
    expect(await command('status')).toMatchObject({ code: 0 })
    const result = await command('call', 'ml.health_check', '--wait', '20')
    expect([result.code, result.output]).toEqual([0, expect.stringContaining('succeeded')])
    expect(start.output()).not.toContain('The api ')
  } finally {
    start.child.kill('SIGINT')
    await start.closed
    rmSync(home, { recursive: true, force: true })
  }
  expect(start.child.exitCode).toBe(0)
})
