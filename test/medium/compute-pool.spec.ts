import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ModelRegistry, PreforkPool, SoloPool, type ComputePool, type GraphSpec, type PreforkOptions } from '#libs/ml'
import { readModelFolder, type ModelFolder } from '#libs/ml/manifest'
import { createLogger } from '#libs/platform'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { isAlive } from '../support/process-list.js'
import { waitFor } from '../support/wait-for.js'

const log = createLogger('test', 'silent')
const fileOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const screen = fileOf('models/impairment-screen/1')
const slow = fileOf('test/fixtures/runtime/slow/1')
/** The compiled program of a child: children are processes of the built product. */
const entry = new URL('../../dist/libs/ml/src/runtime/compute-child.js', import.meta.url)

const slowGraph: GraphSpec = {
  key: 'slow@1',
  file: join(slow, 'model.onnx'),
  input: 'features',
  dtype: 'float32',
  width: 1,
  outputs: ['probability'],
  maxBatch: 4096,
  warmUp: { rows: new Float32Array(0), count: 0 },
}
/** Work of the slow model: three points are about a second. */
const work = (points: number, timeoutMs = 60_000) => ({
  key: 'slow@1',
  rows: Float32Array.of(points),
  count: 1,
  timeoutMs,
})

const pools: ComputePool[] = []
const prefork = (options: Partial<PreforkOptions> = {}): PreforkPool => {
  const pool = new PreforkPool({ size: 2, maxTasksPerChild: 0, maxMemoryPerChildKb: 0, entry, ...options }, log)
  pools.push(pool)
  return pool
}
const solo = (): SoloPool => {
  const pool = new SoloPool()
  pools.push(pool)
  return pool
}
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.stop()))
})

describe.each([
  { name: 'prefork', create: prefork },
  { name: 'solo', create: solo },
])('the compute pool $name', ({ create }) => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'memoryguard-pool-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('gives the golden answers of the default model to a millionth, row by row', async () => {
    const model = await readModelFolder(screen)
    const registry = new ModelRegistry(create(), log)
    await registry.loadAll([model])
    expect(registry.models).toEqual([{ reference: 'impairment-screen@1', state: 'ready', reason: null }])
    const cases = model.golden?.cases ?? []
    expect(cases.length).toBeGreaterThan(5)
    const people = cases.map(({ inputs }) =>
      Object.fromEntries(Object.entries(inputs).filter((pair): pair is [string, number] => pair[1] !== null)),
    )
    const risks = await registry.predict('impairment-screen@1', people, 60_000)
    cases.forEach(({ outputs }, index) => {
      const risk = risks[index]
      if (!risk || risk instanceof Error) throw new Error(`No risk for case ${index}`)
      const golden = outputs['impairment']
      for (const part of ['value', 'lower', 'upper'] as const) {
        expect(Math.abs((risk.primary[part] ?? NaN) - (golden?.[part] ?? NaN))).toBeLessThanOrEqual(1e-6)
      }
    })
  })

  it('answers runs that come at once, each with its own rows', async () => {
    const pool = create()
    await pool.load({
      ...slowGraph,
      key: 'screen',
      file: join(screen, 'model.onnx'),
      width: 7,
      outputs: ['probability', 'lower'],
    })
    const row = (mmse: number) => Float32Array.of(mmse, 72, NaN, NaN, NaN, NaN, NaN)
    const run = async (mmse: number) => {
      const { probability } = await pool.run({ key: 'screen', rows: row(mmse), count: 1, timeoutMs: 60_000 })
      return probability?.data[0]
    }
    const scores = Array.from({ length: 21 }, (_, index) => 10 + index)
    const alone: (number | undefined)[] = []
    for (const mmse of scores) alone.push(await run(mmse))
    expect(await Promise.all(scores.map(run))).toEqual(alone)
    expect(new Set(alone).size).toBeGreaterThan(5)
  })

  it('tells how far an explanation is that takes long', async () => {
    const registry = new ModelRegistry(create(), log)
    await registry.loadAll([await readModelFolder(fileOf('test/fixtures/models/sample-network/1'))])
    const people = Array.from({ length: 400 }, (_, index) => ({ mmse_score: 10 + (index % 20), age: 72 }))
    const told: (readonly [number, number])[] = []
    await registry.explain('sample-network@1', undefined, people, 60_000, undefined, (done, total) => {
      told.push([done, total])
    })
    expect(told.length).toBeGreaterThan(0)
    expect(new Set(told.map(([, total]) => total)).size).toBe(1)
    expect(told.map(([done]) => done)).toEqual(told.map(([done]) => done).toSorted((a, b) => a - b))
    for (const [done, total] of told) expect(done).toBeLessThanOrEqual(total)
  })

  it('explains rows where it computes: contributions add up, missing inputs among them', async () => {
    const registry = new ModelRegistry(create(), log)
    await registry.loadAll([await readModelFolder(screen)])
    const people = [
      { mmse_score: 24, age: 72 },
      { mmse_score: 30, sex: 1 },
    ]
    const explained = await registry.explain('impairment-screen@1', undefined, people, 60_000)
    const risks = await registry.predict('impairment-screen@1', people, 60_000)
    explained.forEach(({ method, space, baseValue, output, contributions, standardError }, row) => {
      expect([method, space, standardError]).toEqual(['tree_interventional', 'log_odds', null])
      const sum = contributions.reduce((total, { contribution }) => total + contribution, baseValue)
      expect(Math.abs(sum - output)).toBeLessThan(1e-9)
      expect(contributions).toHaveLength(7)
      const risk = risks[row]
      if (!risk || risk instanceof Error) throw new Error(`No risk for person ${row}`)
      expect(1 / (1 + Math.exp(-output))).toBeCloseTo(risk.score, 6)
    })
    await expect(registry.explain('impairment-screen@1', 'nothing', people, 60_000)).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    })
  })

  it('tries a graph out and answers for its warm-up rows, wherever it would be loaded', async () => {
    const warmUp = { rows: Float32Array.of(0, 0, 0), count: 3 }
    const answers = await create().trial({ ...slowGraph, maxBatch: 2, warmUp })
    expect([...(answers['probability']?.data ?? [])]).toEqual([0.5, 0.5, 0.5])
  })

  it('refuses a file that is no graph, a graph without the named tensors, and a model that is not loaded', async () => {
    const pool = create()
    const broken = join(folder, 'broken.onnx')
    writeFileSync(broken, readFileSync(slowGraph.file).subarray(0, 100))
    await expect(pool.load({ ...slowGraph, file: broken })).rejects.toThrow(/./)
    await expect(pool.load({ ...slowGraph, file: join(folder, 'absent.onnx') })).rejects.toThrow(/absent/)
    await expect(pool.load({ ...slowGraph, input: 'rows' })).rejects.toThrow(/no input "rows"; it has features/)
    await expect(pool.load({ ...slowGraph, outputs: ['label'] })).rejects.toThrow(
      /no output "label"; it has probability/,
    )
    await expect(pool.run(work(0))).rejects.toMatchObject({ code: 'MODEL_OUTPUT_INVALID' })
    await pool.load(slowGraph)
    expect((await pool.run(work(0)))['probability']).toMatchObject({ columns: 1, data: Float32Array.of(0.5) })
  })

  it('serves no model that fails its golden file, and serves the others', async () => {
    const [good, other] = [await readModelFolder(screen), await readModelFolder(slow)]
    const wrong: ModelFolder = {
      ...other,
      golden: { tolerance: 1e-6, cases: [{ inputs: { mmse_score: 0 }, outputs: { risk: { value: 0.6 } } }] },
    }
    const registry = new ModelRegistry(create(), log)
    await registry.loadAll([wrong, good])
    expect(registry.readyReferences).toEqual(['impairment-screen@1'])
    expect(registry.models).toContainEqual({
      reference: 'slow@1',
      state: 'broken',
      reason: expect.stringMatching(/^golden\.json#\/cases\/0\/outputs\/risk\/value: differs by/),
    })
    await expect(registry.predict('slow@1', [{ mmse_score: 0 }], 1000)).rejects.toMatchObject({
      code: 'MODEL_NOT_READY',
    })
  })
})

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
    const door = new URL('../../dist/libs/ml/src/index.js', import.meta.url).href
    const program = `
      import { PreforkPool } from ${JSON.stringify(door)}
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
