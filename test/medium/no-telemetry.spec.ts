import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addThrowingModel } from '../support/throwing-model.js'

/** A value at which the graph fails, and which its error names. */
const canary = '731337'
const root = fileURLToPath(new URL('../..', import.meta.url))
const hasStrace = spawnSync('strace', ['-V']).status === 0

/** Computes in both pools, as workers do, and fails in both. */
const program = (model: string) => `
  const { PreforkPool, SoloPool } = await import(${JSON.stringify(new URL('../../dist/libs/ml/src/index.js', import.meta.url).href)})
  const { createLogger } = await import(${JSON.stringify(new URL('../../dist/libs/platform/src/index.js', import.meta.url).href)})
  const graph = {
    key: 'throwing@1', file: ${JSON.stringify(model)}, input: 'X', dtype: 'float32', width: 1,
    outputs: ['probability'], maxBatch: 16, warmUp: { rows: Float32Array.of(0), count: 1 },
  }
  const options = { size: 1, maxTasksPerChild: 0, maxMemoryPerChildKb: 0 }
  for (const pool of [new SoloPool(), new PreforkPool(options, createLogger('test', 'silent'))]) {
    await pool.load(graph)
    const run = (value) => pool.run({ key: graph.key, rows: Float32Array.of(value), count: 1, timeoutMs: 60_000 })
    const { probability } = await run(1)
    const error = await run(${canary}).catch((reason) => reason)
    console.log(probability.data[0], error.code)
    await pool.stop()
  }`

describe.skipIf(!hasStrace)('A4: a process that computes', () => {
  let folder: string
  let home: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'memoryguard-quiet-'))
    home = join(folder, 'home')
    mkdirSync(home)
    addThrowingModel(folder)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('opens no connection, looks up no name, and writes no file, whatever it computes and however it fails', () => {
    const trace = join(folder, 'trace')
    const model = join(folder, 'throwing/1/model.onnx')
    const { stdout, stderr } = spawnSync(
      'strace',
      ['-f', '-qq', '-s', '4096', '-e', 'trace=network,open,openat,creat,mkdir,mkdirat,rename,renameat2', '-o', trace]
        // Nothing keeps it from collecting but itself.
        .concat([process.execPath, '--input-type=module', '-e', program(model)]),
      {
        encoding: 'utf8',
        env: {
          PATH: process.env['PATH'],
          HOME: home,
          TMPDIR: home,
          XDG_CACHE_HOME: join(home, 'cache'),
          XDG_CONFIG_HOME: join(home, 'config'),
          XDG_DATA_HOME: join(home, 'data'),
          XDG_STATE_HOME: join(home, 'state'),
        },
      },
    )
    expect(stderr).toBe('')
    expect(stdout).toBe('0.5 MODEL_OUTPUT_INVALID\n0.5 MODEL_OUTPUT_INVALID\n')
    const calls = readFileSync(trace, 'utf8').split('\n')
    expect(calls.some((call) => call.includes('libonnxruntime'))).toBe(true)
    // Parent and children talk over socket pairs, which have no address.
    expect(calls.filter((call) => /\b(?:socket|connect|bind|sendto)\(/.test(call))).toEqual([])
    expect(calls.filter((call) => /O_CREAT|\bcreat\(|\bmkdir|\brename/.test(call))).toEqual([])
    // Node reads its resolver's configuration when it starts; a look-up reads this.
    expect(calls.filter((call) => /\/etc\/hosts|libnss/.test(call))).toEqual([])
    expect(calls.filter((call) => call.includes(canary) && !call.includes('sendmsg'))).toEqual([])
    expect(readdirSync(home, { recursive: true })).toEqual([])
  })
})

it('A4: nothing but the module that switches telemetry off loads onnxruntime', () => {
  const files = ['apps', 'libs', 'bench', 'test'].flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => join(room, file)),
  )
  const loads = /(?:^import (?!type )[^\n]*|import\(|require\w*\([^\n]*)['"]onnxruntime-node['"]/m
  expect(files.filter((file) => loads.test(readFileSync(join(root, file), 'utf8')))).toEqual([
    'libs/ml/src/runtime/onnxruntime.ts',
  ])
})
