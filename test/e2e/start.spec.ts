import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** `memoryguard start` under test, and what it has said. */
interface Run {
  readonly process: ChildProcess
  readonly output: () => string
}

interface Row {
  readonly pid: number
  readonly parent: number
  readonly command: string
}

/** Every process of this machine; one that was killed and that nobody has waited for yet is as good as gone. */
const processes = (): Row[] =>
  execFileSync('ps', ['-eo', 'pid=,ppid=,stat=,args='], { encoding: 'utf8' })
    .split('\n')
    .flatMap((line) => {
      const [, pid, parent, state, command] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? []
      if (command === undefined || state?.startsWith('Z')) return []
      return [{ pid: Number(pid), parent: Number(parent), command }]
    })

/** A process and all its descendants. */
const treeOf = (pid: number): Row[] => {
  const rows = processes()
  const below = (parent: number): Row[] =>
    rows.flatMap((row) => (row.parent === parent ? [row, ...below(row.pid)] : []))
  return [...rows.filter((row) => row.pid === pid), ...below(pid)]
}

const survivorsOf = (rows: readonly Row[]): Row[] => {
  const living = new Set(processes().map(({ pid }) => pid))
  return rows.filter(({ pid }) => living.has(pid))
}

const killAll = (rows: readonly Row[]) => {
  for (const { pid } of rows) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      // Its parent was killed just before, and it has noticed.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

const freePort = async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

describe('memoryguard start', () => {
  let home: string
  let port: number
  const runs: ChildProcess[] = []

  const start = (
    environment: Readonly<Record<string, string>> = {},
    [program = '', ...args]: readonly string[] = [
      process.execPath,
      'bin/memoryguard.js',
      'start',
      '--port',
      String(port),
    ],
  ): Run => {
    const env = { PATH: process.env['PATH'] ?? '', MEMORYGUARD_HOME: home, WORKER_CONCURRENCY: '1', ...environment }
    const child = spawn(program, args, { cwd: root, env })
    runs.push(child)
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
    }
    return { process: child, output: () => output }
  }

  const untilReady = async (run: Run) => {
    await vi.waitFor(() => {
      if (run.process.exitCode !== null) throw new Error(`it has ended: ${run.output()}`)
      expect(run.output()).toContain('Ctrl-C stops everything')
    }, 60_000)
    return run.process.pid ?? 0
  }

  const predictions = async () => {
    const key = readFileSync(join(home, 'admin-key'), 'utf8').trim()
    const response = await fetch(`http://127.0.0.1:${port}/v1/predictions?user_id=123`, {
      headers: { authorization: `Bearer ${key}` },
    })
    return (await response.json()) as { items: { state: string; risk_score: number }[] }
  }

  const ended = async (run: Run) => {
    if (run.process.exitCode === null && run.process.signalCode === null) await once(run.process, 'exit')
  }

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'memoryguard-start-'))
    await chmod(home, 0o711)
    port = await freePort()
  })

  afterEach(async () => {
    for (const child of runs.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    await rm(home, { recursive: true, force: true })
  })

  it('ends with a prediction, restarts what dies, refuses a second start, and leaves no process', async () => {
    const run = start()
    const pid = await untilReady(run)
    expect(run.output()).toMatch(/Risk +\d+ %/)
    expect(run.output()).toContain('Decision support, not diagnosis.')
    expect(await predictions()).toMatchObject({
      items: [{ state: 'succeeded', risk_score: expect.any(Number) as number }],
    })

    const second = start()
    await ended(second)
    expect(second.process.exitCode).toBe(1)
    expect(second.output()).toContain(`already runs on ${home} (process ${pid})`)

    killAll(treeOf(pid).filter(({ command }) => command.endsWith('memoryguard.js api')))
    await vi.waitFor(async () => expect((await predictions()).items).toHaveLength(1), 30_000)
    expect(run.output()).toContain('The api ended (SIGKILL): starting it again')

    const tree = treeOf(pid)
    expect(tree.length).toBeGreaterThan(4)
    run.process.kill('SIGINT')
    await ended(run)
    expect(run.process.exitCode).toBe(0)
    expect(survivorsOf(tree)).toEqual([])
  })

  it('keeps its data when everything is killed, and its children do not outlive it', async () => {
    const first = start()
    const pid = await untilReady(first)
    const tree = treeOf(pid)
    process.kill(pid, 'SIGKILL')
    // PostgreSQL stays, for the next start to stop it properly; api, worker and compute children notice and end.
    const others = tree.filter(({ command }) => !command.includes('postgres'))
    await vi.waitFor(() => expect(survivorsOf(others)).toEqual([]), 40_000)

    const second = start()
    const secondPid = await untilReady(second)
    expect((await predictions()).items).toHaveLength(2)

    killAll(treeOf(secondPid))
    await ended(second)
    await untilReady(start())
    expect((await predictions()).items).toHaveLength(3)
  })

  it('names a busy port and how to choose another, before anything is started', async () => {
    const rival = createServer().listen(port, '127.0.0.1')
    await once(rival, 'listening')
    const run = start()
    await ended(run)
    rival.close()
    expect(run.process.exitCode).toBe(1)
    expect(run.output()).toContain(`Port ${port} on 127.0.0.1 is in use`)
    expect(run.output()).toContain(`--port ${port + 1}`)
    await expect(rm(join(home, 'postgres'))).rejects.toThrow('ENOENT')
  })

  it('ends when npm has been ended, which passes no signal on: its shell is gone', async () => {
    const command = `"${process.execPath}" bin/memoryguard.js start --port ${port}; true`
    const run = start({ npm_lifecycle_event: 'start' }, ['sh', '-c', command])
    const family = treeOf(await untilReady(run))
    expect(family.length).toBeGreaterThan(4)
    run.process.kill('SIGTERM')
    await vi.waitFor(() => expect(survivorsOf(family)).toEqual([]), 30_000)
  })

  it('says in a few words that the broker of BROKER_URL does not answer', async () => {
    const run = start({ BROKER_URL: `redis://user:canary@127.0.0.1:${await freePort()}` })
    await ended(run)
    expect(run.process.exitCode).toBe(1)
    expect(run.output()).toMatch(/The broker does not answer \(connect ECONNREFUSED .*BROKER_URL/)
    expect(run.output()).not.toMatch(/canary|\n +at /)
  })

  it('says in a few words that the database of DATABASE_URL does not answer', async () => {
    const run = start({ DATABASE_URL: `postgresql://user:canary@127.0.0.1:${await freePort()}/database` })
    await ended(run)
    expect(run.process.exitCode).toBe(1)
    expect(run.output()).toMatch(/The database does not answer \(connect ECONNREFUSED .*DATABASE_URL/)
    expect(run.output()).not.toMatch(/canary|\n +at /)
  })
})
