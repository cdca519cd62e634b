import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findFreePort } from '#libs/platform'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { commandsOf } from '../support/document-commands.js'
import { startTemporaryPostgres } from '../support/temporary-postgres.js'
import { blankSettings } from '../support/blank-settings.js'
import { hasRedis, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const textOf = (file: string) => readFileSync(join(root, file), 'utf8')
const readme = textOf('README.md')

/** The commands in the table below "To | Do". */
const tableCommands = [...readme.matchAll(/^\| [^|`]+ \| (.*`.*) +\|$/gm)].flatMap(([, cell = '']) =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, command = '']) => command),
)

interface Run {
  readonly process: ChildProcess
  readonly output: () => string
}

describe('E4: the commands of the README, as printed', () => {
  let home: string
  let port: number
  const runs: ChildProcess[] = []

  /** Runs a command of the document in a shell; what stands for "yours" in it is put in. */
  const run = (command: string, settings: Readonly<Record<string, string>> = {}): Run => {
    const env = { ...process.env, ...blankSettings, MEMORYGUARD_HOME: home, WORKER_CONCURRENCY: '1', ...settings }
    // A group of its own, so that all of it can be stopped as Ctrl-C does.
    const child = spawn('sh', ['-c', command], { cwd: root, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    runs.push(child)
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
    return { process: child, output: () => output }
  }
  const hasEnded = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null
  const stop = async (child: ChildProcess) => {
    if (hasEnded(child)) return
    process.kill(-(child.pid ?? 0), 'SIGINT')
    await once(child, 'close')
  }
  const ended = async (started: Run) => {
    if (!hasEnded(started.process)) await once(started.process, 'close')
    return started.process.exitCode
  }
  const untilSaid = (started: Run, words: string) =>
    waitFor(
      () => {
        if (hasEnded(started.process)) throw new Error(`it has ended: ${started.output()}`)
        return started.output().includes(words)
      },
      { what: `"${words}" of ${started.output()}`, timeoutMs: 90_000 },
    )
  const ready = 'Ctrl-C stops everything'
  const start = async (command: string, settings: Readonly<Record<string, string>> = {}) => {
    const started = run(command, { PORT: String(port), ...settings })
    await untilSaid(started, ready)
    return started
  }
  const pick = (text: string, commands: readonly string[] = tableCommands) => {
    const command = commands.find((candidate) => candidate.includes(text))
    if (command === undefined) throw new Error(`The README has no command with ${text}`)
    return command
  }

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'memoryguard-readme-'))
    chmodSync(home, 0o711)
    port = await findFreePort('127.0.0.1')
  })
  afterEach(async () => {
    for (const child of runs.splice(0).reverse()) await stop(child)
  })
  afterAll(() => rmSync(home, { recursive: true }))

  it('npm start gives a service that the request beside it gets a prediction from, and each process runs beside it', async () => {
    await start(pick('npm start', commandsOf(readme)))
    const curl = pick('curl', commandsOf(readme))
    const request = run(
      curl.replace('http://127.0.0.1:3000', `http://127.0.0.1:${port}`).replace('.memoryguard/', `${home}/`),
    )
    await ended(request)
    expect(JSON.parse(request.output())).toMatchObject({ user_id: 123, state: 'succeeded' })

    const migrate = run(pick('npx memoryguard migrate'))
    expect([await ended(migrate), migrate.output()]).toEqual([0, 'The database is up to date.\n'])
    const api = run(pick('npx memoryguard api'))
    await untilSaid(api, '"msg":"ready"')
    const worker = run(pick('npx memoryguard worker'))
    await untilSaid(worker, '"msg":"ready"')
    await stop(api.process)
    await stop(worker.process)

    const config = run(pick('config print'))
    expect(await ended(config)).toBe(0)
    expect(config.output()).toContain('WORKER_CONCURRENCY=1\n')
    const report = run(pick('npx memoryguard report'))
    expect(await ended(report)).toBe(0)
    // The database and the key are those of the running start.
    expect(report.output()).toMatch(/state: writable\n[^]*name: start@\S+\n +state: ready\n/)
    expect(report.output()).not.toMatch(/unavailable|\bmg_/)
  })

  it('npm start takes another port', async () => {
    const other = await findFreePort('127.0.0.1')
    const command = pick('--port')
    expect(command).toContain(' 3001')
    const started = await start(command.replace('3001', String(other)))
    expect(started.output()).toContain(`http://127.0.0.1:${other}/docs`)
  })

  it('npm start takes a PostgreSQL', async () => {
    const database = await startTemporaryPostgres()
    try {
      const started = await start(pick('DATABASE_URL=').replace('postgresql://...', database.url))
      await stop(started.process)
    } finally {
      await database.stop()
    }
  })

  it.runIf(hasRedis())('npm start takes a Redis', async () => {
    const redis = await startRedis()
    try {
      const started = await start(pick('BROKER_URL=').replace('redis://...', redis.url))
      await stop(started.process)
    } finally {
      await redis.stop()
    }
  })

  it('docker compose is given flags, services and files that exist', () => {
    const { services } = parse(textOf('docker-compose.yml'), { merge: true }) as { services: Record<string, unknown> }
    expect(pick('docker compose up')).toBe('docker compose up --build --wait')
    expect(pick('docker compose exec')).toMatch(/^docker compose exec api cat \/data\/admin-key$/)
    expect(services).toHaveProperty('api')
  })
})
