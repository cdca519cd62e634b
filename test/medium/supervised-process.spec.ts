import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { SupervisedProcess } from '../../apps/cli/src/start/supervised-process.js'
import { isAlive } from '../support/process-list.js'

describe('supervised process', () => {
  let folder: string
  let logPath: string
  let log: string[]
  let supervised: SupervisedProcess | undefined

  const run = async (source: string, stopMs = 20_000) => {
    const main = join(folder, 'main.mjs')
    await writeFile(main, source)
    supervised = new SupervisedProcess({
      name: 'program',
      main,
      env: process.env,
      logPath,
      stopMs,
      log: (line) => log.push(line),
    })
    return supervised
  }

  /** The pids the program has printed, one for each of its runs. */
  const pids = async (count: number) => {
    await vi.waitFor(async () => expect((await readFile(logPath, 'utf8')).match(/\d+/g)).toHaveLength(count), 20_000)
    return ((await readFile(logPath, 'utf8')).match(/\d+/g) ?? []).map(Number)
  }

  const living = `console.log(process.pid); setInterval(() => {}, 1000); process.once('disconnect', () => process.exit())`

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'memoryguard-supervised-'))
    logPath = join(folder, 'program.log')
    log = []
  })

  afterEach(async () => {
    await supervised?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  it('is started again after it was killed, and says so', async () => {
    const program = await run(living)
    const [first = 0] = await pids(1)
    process.kill(first, 'SIGKILL')
    const [, second = 0] = await pids(2)
    expect(log).toEqual(['The program ended (SIGKILL): starting it again'])
    await program.stop()
    await program.end
    expect(isAlive(second)).toBe(false)
    expect(await pids(2)).toHaveLength(2)
  })

  it('is killed if it does not end when asked', async () => {
    const program = await run(`process.on('SIGTERM', () => {}); ${living}`, 100)
    const [pid = 0] = await pids(1)
    await program.stop()
    expect(isAlive(pid)).toBe(false)
  })

  it('ends with its last words if it cannot start at all', async () => {
    const program = await run(`console.error('PORT: must be a whole number'); process.exit(3)`)
    await expect(program.end).rejects.toThrow(/The program does not start.*PORT: must be a whole number/s)
    expect(log).toHaveLength(2)
  })
})
