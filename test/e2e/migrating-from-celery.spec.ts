import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findFreePort } from '#libs/platform'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blankSettings } from '../support/blank-settings.js'
import { celeryFolder, prepareCelery } from '../support/celery-environment.js'
import { celeryUrls, startCeleryWorker, type CeleryWorker } from '../support/celery-programs.js'
import { blocksOf, commandsOf } from '../support/document-commands.js'
import { hasRedis, startRedis, type RedisServer } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const text = readFileSync(join(root, 'docs/migrating-from-celery.md'), 'utf8')
const commands = commandsOf(text)
/** Commands that need what only the reader has; the test puts it in. */
const indented = [...text.matchAll(/^ {4}(celery .*)$/gm)].map(([, command = '']) => command)
const pick = (list: readonly string[], part: string): string => {
  const found = list.find((command) => command.includes(part))
  if (found === undefined) throw new Error(`The document has no command with ${part}`)
  return found
}

const pythons = hasRedis() ? await prepareCelery() : undefined

/** Sends calls of all kinds, now and for later, and prints their ids. */
const sendCalls = `
import sys
from app.tasks.ml_tasks import process_prediction_task
for number in range(20):
    call = process_prediction_task.apply_async((int(sys.argv[1]) + number, 123, {"mmse_score": 24, "age": 72}),
        countdown=int(sys.argv[2]) if number % 2 else None)
    print(call.id)
`

describe.runIf(pythons !== undefined)('the steps of docs/migrating-from-celery.md', () => {
  const python = pythons?.['5.7'] ?? ''
  let redis: RedisServer
  let backend: Redis
  let old: CeleryWorker
  let home: string
  let port: number
  const runs: ChildProcess[] = []
  const calls: string[] = []

  beforeAll(async () => {
    redis = await startRedis()
    backend = new Redis(`${redis.url}/2`)
    old = await startCeleryWorker(python, celeryUrls(redis.url))
    home = mkdtempSync(join(tmpdir(), 'memoryguard-migrating-'))
    chmodSync(home, 0o711)
    port = await findFreePort('127.0.0.1')
  })
  afterAll(async () => {
    for (const child of runs.reverse()) await stop(child)
    await old.stop()
    backend.disconnect()
    await redis.stop()
    rmSync(home, { recursive: true })
  })

  /** The variables that the document exports, with the port of this Redis. */
  const exported = () =>
    Object.fromEntries(
      commands
        .filter((command) => command.startsWith('export '))
        .map(
          (command) => command.replace('export ', '').replace(':6379', `:${redis.port}`).split('=') as [string, string],
        ),
    )
  const run = (command: string, args: readonly string[], cwd: string) => {
    const ours = { ...blankSettings, MEMORYGUARD_HOME: home, PORT: String(port), WORKER_CONCURRENCY: '1' }
    const env = { ...process.env, ...(cwd === root && ours), ...exported(), PYTHONDONTWRITEBYTECODE: '1' }
    const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    runs.push(child)
    const said = { out: '', err: '' }
    child.stdout.on('data', (chunk: Buffer) => (said.out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (said.err += chunk.toString()))
    return { child, said }
  }
  const hasEnded = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null
  const stop = async (child: ChildProcess) => {
    if (hasEnded(child)) return
    process.kill(-(child.pid ?? 0), 'SIGINT')
    await once(child, 'close')
  }
  const finish = async ({ child, said }: ReturnType<typeof run>) => {
    if (!hasEnded(child)) await once(child, 'close')
    return { code: child.exitCode, ...said }
  }
  const shell = (command: string) => finish(run('sh', ['-c', command], root))
  /** The `celery` of the environment of the test, by its Python. */
  const runCelery = (command: string) =>
    run('sh', ['-c', command.replace(/^celery /, `exec ${python} -m celery `)], celeryFolder)
  const runSnippet = (script: string, ...args: readonly string[]) =>
    finish(run(python, ['-c', script, ...args], celeryFolder))
  const check = () => shell(pick(commands, 'celery check'))
  const start = async (command: string) => {
    const started = run('sh', ['-c', command], root)
    await waitFor(
      () => {
        if (hasEnded(started.child)) throw new Error(started.said.err + started.said.out)
        return started.said.out.includes('Ctrl-C stops everything')
      },
      { what: 'MemoryGuard', timeoutMs: 90_000 },
    )
    return started.child
  }
  const send = async (number: number, laterSeconds: number) => {
    const { out, err } = await runSnippet(sendCalls, String(number), String(laterSeconds))
    const ids = out.trim().split('\n')
    expect([ids.length, err]).toEqual([20, ''])
    calls.push(...ids)
  }

  it('run as printed, show what they say, and lose no call', { timeout: 240_000 }, async () => {
    expect(commands).toContain('npm install && npm run build')

    // 1. Look.
    await send(100, 0)
    const looked = await check()
    expect(looked).toMatchObject({ code: 0, out: expect.stringContaining('worker1@test: celery 5.7.0') })
    expect(looked.err).toContain('No MemoryGuard worker replies here.')

    // 2. Try it with one call.
    const trial = await start(pick(commands, 'CELERY_QUEUES=memoryguard-trial npm start'))
    const tried = await runSnippet(pick(blocksOf(text, 'python'), 'memoryguard-trial'))
    expect(tried).toMatchObject({
      code: 0,
      out: expect.stringMatching(/'status': 'success', 'prediction_id': 1, 'risk_score'/),
    })
    expect((await check()).out).toMatch(
      / start@\S+: memoryguard \S+; queues memoryguard-trial\n {2}worker1@test: celery/,
    )
    await stop(trial)

    // 3. Let both take calls.
    await start(pick(commands, 'npm start').replace(/^CELERY_QUEUES=\S+ /, ''))
    await send(200, 30)
    const both = (await finish(runCelery('celery -A celery_worker --no-color status --timeout 2'))).out
    expect(both).toMatch(/start@\S+: OK/)
    expect(both).toContain('worker1@test: OK')
    expect((await check()).err).toContain('worker1@test (celery 5.7.0) takes ml.* calls too')

    // 4. Stop the old workers.
    expect((await runSnippet(pick(blocksOf(text, 'python'), 'task_routes'))).code).toBe(0)
    const patterns = runCelery(pick(indented, '-Q patterns'))
    await waitFor(() => patterns.said.err.includes(' ready.'), { what: 'the worker for patterns' })
    await send(300, 20)
    const shutdown = pick(indented, 'control shutdown').replace('celery@old-host', 'worker1@test')
    await finish(runCelery(shutdown))
    await waitFor(async () => !(await check()).out.includes('worker1@test'), { what: 'the end of the old worker' })
    await send(400, 1)
    const moved = await waitFor(
      async () => {
        const checked = await check()
        return checked.code === 0 && checked.out.includes('unacknowledged: none') && checked
      },
      { what: 'a check without faults' },
    )
    expect(moved.out).toMatch(/workers:\n {2}patterns@\S+: celery 5\.7\.0; queues patterns\n {2}start@/)
    expect(moved.out).toMatch(/calls of the last day: \d+, the last \d+ s ago/)

    // Nothing was lost on the way.
    await waitFor(
      async () => {
        const stored = await backend.mget(calls.map((id) => `celery-task-meta-${id}`))
        const open = stored.filter((result) => !result?.includes('"SUCCESS"'))
        return open.length === 0
      },
      { what: 'the results of all calls', timeoutMs: 60_000 },
    )
  })
})
