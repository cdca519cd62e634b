import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findFreePort } from '#libs/platform'
import { startTemporaryPostgres } from '../support/temporary-postgres.js'
import { blankSettings } from '../support/blank-settings.js'
import { parseLogLines } from '../support/log-lines.js'
import { query } from '../support/query.js'
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
    const env = {
      ...blankSettings,
      PATH: process.env['PATH'] ?? '',
      MEMORYGUARD_HOME: home,
      WORKER_CONCURRENCY: '1',
      ...environment,
    }
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

  const jsonLines = (run: Run) => parseLogLines(run.output())

  const ended = async (run: Run) => {
    if (run.process.exitCode === null && run.process.signalCode === null) await once(run.process, 'exit')
  }

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'memoryguard-start-'))
    await chmod(home, 0o711)
    port = await findFreePort('127.0.0.1')
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

  it('A8: computes its example once, and never in a database of the user', async () => {
    const database = await startTemporaryPostgres()
    try {
      const run = start({ DATABASE_URL: database.url })
      await untilReady(run)
      expect(run.output()).not.toContain('Risk')
      expect((await predictions()).items).toEqual([])
      expect(await query(database.url, 'SELECT id FROM tasks')).toEqual([])
      run.process.kill('SIGTERM')
      await ended(run)
    } finally {
      await database.stop()
    }
  })

  it('E4: other commands find its database, ports that are taken are passed over unless they were asked for', async () => {
    const rival = createServer().listen(3000, '127.0.0.1')
    await once(rival, 'listening').catch(() => undefined)
    const run = start({}, [process.execPath, 'bin/memoryguard.js', 'start'])
    await untilReady(run)
    rival.close()
    const [, apiPort = ''] = /API +http:\/\/127\.0\.0\.1:(\d+)/.exec(run.output()) ?? []
    expect(Number(apiPort)).toBeGreaterThan(3000)
    expect(run.output()).toContain(`Port 3000 on 127.0.0.1 is in use by another program: using ${apiPort}`)

    const migrate = start({}, [process.execPath, 'bin/memoryguard.js', 'migrate'])
    await ended(migrate)
    expect([migrate.process.exitCode, migrate.output()]).toEqual([0, 'The database is up to date.\n'])

    const workers = ['one', 'two'].map((name) =>
      start({}, [process.execPath, 'bin/memoryguard.js', 'worker', '-Q', 'batch', '-n', name]),
    )
    const healthPorts = await Promise.all(
      workers.map((worker) =>
        vi.waitFor(() => {
          const ready = jsonLines(worker).find(({ msg }) => msg === 'ready')
          expect(ready).toBeDefined()
          return Number(ready?.['healthPort'])
        }, 30_000),
      ),
    )
    expect(new Set(healthPorts).size).toBe(2)
    const asked = start({}, [process.execPath, 'bin/memoryguard.js', 'worker', '--health-port', String(healthPorts[0])])
    await ended(asked)
    expect(asked.process.exitCode).toBe(1)
    expect(jsonLines(asked).filter(({ level }) => level === 'fatal')).toMatchObject([
      { msg: expect.stringContaining(`${healthPorts[0]} is in use`) as string },
    ])

    for (const worker of workers) worker.process.kill('SIGTERM')
    run.process.kill('SIGTERM')
    await ended(run)
    const alone = start({}, [process.execPath, 'bin/memoryguard.js', 'migrate'])
    await ended(alone)
    expect(alone.process.exitCode).toBe(1)
    expect(alone.output()).toMatch(/^DATABASE_URL is not set, and no "memoryguard start".*run "npm start".*\n$/)
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
    expect((await predictions()).items).toHaveLength(1)

    killAll(treeOf(secondPid))
    await ended(second)
    await untilReady(start())
    expect((await predictions()).items).toHaveLength(1)
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

  it.each([
    [{ MODELS_DIR: '/nonexistent' }, 'MODELS_DIR: /nonexistent does not exist.'],
    [{ MODELS_DIR: '/etc/passwd' }, 'MODELS_DIR: /etc/passwd is no folder.'],
    [{ HOST: 'nosuch.invalid' }, 'HOST: nothing can listen on nosuch.invalid ('],
    [{ MEMORYGUARD_HOME: '/proc/x' }, 'MEMORYGUARD_HOME /proc/x cannot be used (ENOENT)'],
  ])(
    'E5: a folder or an address that cannot be used ends it at once with one sentence: %j',
    async (environment, sentence) => {
      const servers = 'MEMORYGUARD_HOME' in environment ? [] : ['api', 'worker']
      const env = { DATABASE_URL: 'postgresql://app@127.0.0.1:1/x', ...environment }
      const alone = servers.map((name) => start(env, [process.execPath, 'bin/memoryguard.js', name]))
      for (const run of [start(environment), ...alone]) {
        await ended(run)
        expect(run.process.exitCode).toBe(1)
        expect(run.output()).toContain(sentence)
        expect(run.output().trim().split('\n')).toHaveLength(1)
      }
    },
  )

  it('ends when npm has been ended, which passes no signal on: its shell is gone', async () => {
    const command = `"${process.execPath}" bin/memoryguard.js start --port ${port}; true`
    const run = start({ npm_lifecycle_event: 'start' }, ['sh', '-c', command])
    const family = treeOf(await untilReady(run))
    expect(family.length).toBeGreaterThan(4)
    run.process.kill('SIGTERM')
    await vi.waitFor(() => expect(survivorsOf(family)).toEqual([]), 30_000)
  })

  it('says in a few words that the broker of BROKER_URL does not respond', async () => {
    const run = start({ BROKER_URL: `redis://user:canary@127.0.0.1:${await findFreePort('127.0.0.1')}` })
    await ended(run)
    expect(run.process.exitCode).toBe(1)
    expect(run.output()).toMatch(/The broker at .* does not respond \(connect ECONNREFUSED .*BROKER_URL/)
    expect(run.output()).not.toMatch(/canary|\n +at /)
  })

  it('says in a few words that the database of DATABASE_URL does not respond', async () => {
    const run = start({
      DATABASE_URL: `postgresql://user:canary@127.0.0.1:${await findFreePort('127.0.0.1')}/database`,
    })
    await ended(run)
    expect(run.process.exitCode).toBe(1)
    expect(run.output()).toMatch(/The database does not respond \(connect ECONNREFUSED .*DATABASE_URL/)
    expect(run.output()).not.toMatch(/canary|\n +at /)
  })
})
