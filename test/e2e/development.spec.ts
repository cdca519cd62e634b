import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blankSettings } from '../support/blank-settings.js'
import { waitFor } from '../support/wait-for.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const parts = ['apps', 'bin', 'libs', 'models', 'nest-cli.json', 'package.json', 'package-lock.json', 'tsconfig.json']

describe('a developer', () => {
  let checkout: string
  let running: ChildProcess | undefined
  beforeAll(() => {
    checkout = mkdtempSync(join(tmpdir(), 'memoryguard-checkout-'))
    for (const part of [...parts, 'dist']) cpSync(join(root, part), join(checkout, part), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'))
  })
  afterAll(async () => {
    if (running?.exitCode === null) {
      running.kill('SIGTERM')
      await once(running, 'exit')
    }
    rmSync(checkout, { recursive: true, force: true })
  })

  // One project of nest-cli.json stands for the others, which differ in their folders alone.
  it('builds with the command line of Nest', () => {
    const nest = join(root, 'node_modules/@nestjs/cli/bin/nest.js')
    const output = execFileSync(process.execPath, [nest, 'build', 'worker'], { cwd: checkout, encoding: 'utf8' })
    expect(output).not.toMatch(/error/i)
  })

  it('changes a handler under npm run dev, and the worker runs the new one', async () => {
    const env = { ...process.env, ...blankSettings, MEMORYGUARD_HOME: join(checkout, 'home'), PORT: '0' }
    const child = spawn(process.execPath, ['bin/start.mjs', '--watch'], { cwd: checkout, env })
    running = child
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()))
    const wait = (what: string, text: RegExp) => waitFor(() => text.test(output), { what, timeoutMs: 100_000 })
    await wait('the start', /Ctrl-C stops everything/)
    await wait('the first compilation', /Watching for file changes/)
    const handler = join(checkout, 'apps/worker/src/handlers/health-check.handler.ts')
    writeFileSync(handler, readFileSync(handler, 'utf8').replace('worker: this.worker,', "worker: 'reloaded',"))
    const [, url] = /API +(http:\S+)/.exec(output) ?? []
    const key = readFileSync(join(checkout, 'home/admin-key'), 'utf8').trim()
    const checkHealth = async () => {
      const response = await fetch(`${url}/v1/tasks`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', prefer: 'wait=5' },
        body: JSON.stringify({ name: 'ml.health_check' }),
      })
      return ((await response.json()) as { result?: { worker: string } | null }).result?.worker
    }
    await waitFor(async () => (await checkHealth()) === 'reloaded', { what: 'the new handler', timeoutMs: 60_000 })
    child.kill('SIGTERM')
    await once(child, 'exit')
    expect([child.exitCode, output]).toEqual([0, expect.stringContaining('Stopped. The data is kept.')])
  })
})
