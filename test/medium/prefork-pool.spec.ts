import { existsSync, readFileSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ComputePool, PreforkOptions } from '#libs/ml'
import { afterEach, describe, expect, it } from 'vitest'
import { entry, prefork, slowGraph, stopPools, work } from '../support/compute-pools.js'
import { isAlive } from '../support/process-list.js'
import { waitFor } from '../support/wait-for.js'

afterEach(stopPools)

describe('the compute pool prefork', () => {
  const pidsOf = (pool: ComputePool) => pool.children.map(({ pid }) => pid)
  const ready = async (options: Partial<PreforkOptions> = {}) => {
    const pool = prefork(options)
    await pool.load(slowGraph)
    await pool.run(work(0))
    return pool
  }

  it('kills what passes the hard limit, replaces it, and goes on', async () => {
    const pool = await ready({ size: 1 })
    const [victim = 0] = pidsOf(pool)
    await expect(pool.run(work(30, 300))).rejects.toMatchObject({ code: 'TASK_HARD_TIME_LIMIT', retryable: false })
    await waitFor(() => !isAlive(victim), { what: 'the child to be dead' })
    expect((await pool.run(work(0)))['probability']?.data[0]).toBe(0.5)
    expect(pidsOf(pool)).toHaveLength(1)
    expect(pidsOf(pool)).not.toContain(victim)
  })

  it('loses with a killed child its own run and no other', async () => {
    const pool = await ready({ size: 2 })
    const before = pidsOf(pool)
    const runs = [pool.run(work(5)), pool.run(work(5))].map((run) =>
      run.then(
        () => 'done',
        (error: unknown) => error,
      ),
    )
    await waitFor(() => pool.children.every(({ busy }) => busy), { what: 'both children to work' })
    const victim = before[0] ?? 0
    process.kill(victim, 'SIGKILL')
    const outcomes = await Promise.all(runs)
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1)
    expect(outcomes).toContainEqual(expect.objectContaining({ code: 'TASK_CHILD_LOST', retryable: true }))
    await waitFor(() => pool.children.length === 2, { what: 'the replacement' })
    expect(pidsOf(pool)).not.toContain(victim)
    await Promise.all([pool.run(work(0)), pool.run(work(0)), pool.run(work(0))])
  })

  it.each([
    { bulkPatienceMs: 60_000, what: 'first what someone waits for, then bulk work', order: ['c', 'a', 'b'] },
    { bulkPatienceMs: 0, what: 'bulk work that has waited for long in its turn', order: ['a', 'b', 'c'] },
  ])('computes $what', async ({ bulkPatienceMs, order }) => {
    const pool = await ready({ size: 1, bulkPatienceMs })
    const finished: string[] = []
    const bulk = { ...work(0), isBulk: true }
    const run = async (name: string, request: typeof bulk | ReturnType<typeof work>) => {
      await pool.run(request)
      finished.push(name)
    }
    // The first takes the only child; the others queue in this order.
    await Promise.all([pool.run(work(0)), run('a', bulk), run('b', bulk), run('c', work(0))])
    expect(finished).toEqual(order)
  })

  it('replaces a child after its number of rows, without failing a run', async () => {
    const pool = await ready({ size: 1, maxTasksPerChild: 3 })
    const [first] = pidsOf(pool)
    for (let index = 0; index < 4; index += 1) await pool.run(work(0))
    await waitFor(
      async () => {
        await pool.run(work(0))
        return pidsOf(pool).length === 1 && pidsOf(pool)[0] !== first
      },
      { what: 'a new child', intervalMs: 1_100, timeoutMs: 40_000 },
    )
    await waitFor(() => !isAlive(first ?? 0), { what: 'the old child to be gone' })
  })

  it('grows and shrinks', async () => {
    const pool = await ready({ size: 1 })
    await pool.resize(3)
    expect(pool.children).toHaveLength(3)
    await Promise.all(Array.from({ length: 6 }, () => pool.run(work(0))))
    await pool.resize(1)
    await waitFor(() => pool.children.length === 1, { what: 'one child' })
    expect((await pool.run(work(0)))['probability']?.data[0]).toBe(0.5)
  })

  it('keeps its size when a child dies whose successor is starting', async () => {
    const pool = await ready({ size: 2 })
    const [first = 0] = pidsOf(pool)
    const restarted = pool.restart()
    expect(pool.children).toHaveLength(3)
    process.kill(first, 'SIGKILL')
    await waitFor(() => !pidsOf(pool).includes(first), { what: 'the child to be gone' })
    expect(pool.children).toHaveLength(2)
    await restarted
    await pool.resize(2)
    await waitFor(() => pool.children.length === 2, { what: 'two children' })
  })

  it('replaces no more children than it has when it shrinks meanwhile', async () => {
    const pool = await ready({ size: 2 })
    const restarted = pool.restart()
    await pool.resize(1)
    await restarted
    await waitFor(() => pool.children.length === 1, { what: 'one child' })
    expect((await pool.run(work(0)))['probability']?.data[0]).toBe(0.5)
  })

  it('lets go of children that are superfluous before they have started', async () => {
    const pool = await ready({ size: 1 })
    const grown = pool.resize(4)
    await pool.resize(2)
    await grown
    expect(pool.children).toHaveLength(2)
    await Promise.all(Array.from({ length: 6 }, () => pool.run(work(0))))
  })

  it('says how much has waited for a child', async () => {
    const pool = await ready({ size: 1 })
    const runs = [pool.run(work(1)), pool.run(work(0))]
    await waitFor(() => pool.countWaiting(50) === 1, { what: 'one to have waited' })
    await Promise.all(runs)
    expect(pool.countWaiting(0)).toBe(0)
  })

  it.runIf(process.platform === 'linux')('gives its children nothing of its environment', async () => {
    process.env['DATABASE_URL'] = 'postgresql://secret@nowhere/db'
    try {
      const pool = await ready({ size: 1 })
      const [pid] = pidsOf(pool)
      const names = readFileSync(`/proc/${pid}/environ`, 'utf8')
        .split('\0')
        .map((entryOf) => entryOf.split('=')[0])
      expect(names).toContain('PATH')
      expect(names).not.toContain('DATABASE_URL')
      expect(
        names.filter((name) => name && !/^(PATH|OMP_NUM_THREADS|ORT_DISABLE_TELEMETRY|NODE_CHANNEL_.*)$/.test(name)),
      ).toEqual([])
    } finally {
      delete process.env['DATABASE_URL']
    }
  })

  it('ends with its parent, however that ends, and is not ended by the terminal', async () => {
    expect(existsSync(fileURLToPath(entry))).toBe(true)
    const index = new URL('../../dist/libs/ml/src/index.js', import.meta.url).href
    const program = `
      import { PreforkPool } from ${JSON.stringify(index)}
      const pool = new PreforkPool({ size: 2, maxTasksPerChild: 0, maxMemoryPerChildKb: 0 }, { warn() {}, error() {} })
      await pool.load(${JSON.stringify(slowGraph)})
      console.log(JSON.stringify(pool.children.map(({ pid }) => pid)))
      setInterval(() => {}, 1000)`
    const parent = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const children = JSON.parse(line.toString()) as number[]
    for (const pid of children) for (const signal of ['SIGINT', 'SIGTERM'] as const) process.kill(pid, signal)
    expect(children.map(isAlive)).toEqual([true, true])
    parent.kill('SIGKILL')
    await once(parent, 'exit')
    await waitFor(() => !children.some(isAlive), { what: 'the children to end' })
  })

  it('rejects what still runs when it stops, and what comes later', async () => {
    const pool = await ready({ size: 1 })
    const pids = pidsOf(pool)
    const runs = [pool.run(work(5)), pool.run(work(0))]
    const settled = Promise.allSettled(runs)
    await pool.stop()
    for (const outcome of await settled) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'TASK_CHILD_LOST' } })
    }
    await expect(pool.run(work(0))).rejects.toMatchObject({ code: 'TASK_CHILD_LOST' })
    expect(pids.some(isAlive)).toBe(false)
  })
})
