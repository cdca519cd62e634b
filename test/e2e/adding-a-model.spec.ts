import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const fileOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const guide = readFileSync(fileOf('docs/adding-a-model.md'), 'utf8')
const fixtures = fileOf('test/fixtures/models')
const shell = [...guide.matchAll(/```sh\n([^]*?)```/g)].map(([, block = '']) => block)
/** The commands of the guide, in its order. */
const commands = shell.flatMap((block) => block.split('\n')).filter((line) => line.startsWith('npx memoryguard '))
/** The body that the guide posts. */
const request = /-d '([^']+)'/.exec(shell.join('\n'))?.[1] ?? ''

interface Manifest {
  readonly inputs: readonly { readonly name: string }[]
  readonly missing: { readonly values?: Readonly<Record<string, number>> }
}
interface Golden {
  readonly cases: readonly {
    readonly inputs: Readonly<Record<string, number | null>>
    readonly outputs: { readonly impairment: { readonly value: number } }
  }[]
}

/** What a person who follows the guide has after its second step: the graph and rows with the library's outputs. */
const prepare = (folder: string, fixture: string): void => {
  const from = join(fixtures, fixture, '1')
  const { inputs, missing } = JSON.parse(readFileSync(join(from, 'manifest.json'), 'utf8')) as Manifest
  const { cases } = JSON.parse(readFileSync(join(from, 'golden.json'), 'utf8')) as Golden
  const names = inputs.map(({ name }) => name)
  const lines = cases.map((each) =>
    [...names.map((name) => each.inputs[name] ?? missing.values?.[name] ?? ''), each.outputs.impairment.value].join(
      ',',
    ),
  )
  cpSync(join(from, 'model.onnx'), join(folder, 'my-model.onnx'))
  writeFileSync(join(folder, 'my-rows.csv'), [[...names, 'expected'].join(','), ...lines].join('\n'))
}

describe('the guide to adding a model', () => {
  let stack: Stack
  let home: string

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'memoryguard-guide-'))
    mkdirSync(join(home, 'models'))
    cpSync(fileOf('models/impairment-screen'), join(home, 'models/impairment-screen'), { recursive: true })
    stack = await startStack({ broker: 'postgres', env: { MODELS_DIR: join(home, 'models') } })
  })
  afterAll(async () => {
    await stack.stop()
    rmSync(home, { recursive: true })
  })

  /** Runs a line of the guide with another model's name in it. */
  const run = (line: string, name: string) => {
    const own = line.replaceAll(/my-model(?!\.onnx)/g, name)
    const [, , ...args] = own.split(' ')
    const { status, stdout, stderr } = spawnSync(process.execPath, [fileOf('bin/memoryguard.js'), ...args], {
      cwd: home,
      env: { ...stack.env },
      encoding: 'utf8',
    })
    return { line: own, status, text: stdout + stderr }
  }
  const untilReady = (name: string, version: string) =>
    waitFor(
      async () => {
        const { body } = await stack.request('GET', '/v1/models')
        return (body['items'] as Record<string, unknown>[]).some(
          (item) => item['name'] === name && item['version'] === version && item['state'] === 'ready',
        )
      },
      { what: `${name}@${version}` },
    )

  it.each([
    ['sample-lightgbm', 'tree_interventional'],
    ['sample-xgboost', 'tree_interventional'],
    ['sample-forest', 'tree_interventional'],
    ['sample-logistic', 'linear'],
    ['sample-network', 'exact'],
  ])('takes %s to a served, explained model', async (fixture, method) => {
    const name = fixture.replace('sample', 'my')
    prepare(home, fixture)
    const [init = '', verify = ''] = commands
    expect(run(init, name)).toMatchObject({ status: 0, text: expect.stringContaining(`models/${name}/1`) })
    const verified = run(verify, name)
    expect(verified).toMatchObject({ status: 0, text: expect.stringContaining(`${name}@1: ok`) })
    expect(verified.text).toContain(`risk is explained by ${method}`)
    await untilReady(name, '1')
    const body = request.replaceAll('my-model', name)
    const { body: prediction } = await stack.request('POST', '/v1/predictions', body, { prefer: 'wait=20' })
    expect(prediction).toMatchObject({ state: 'succeeded', model: { name, version: '1' } })
    const path = `/v1/predictions/${String(prediction['id'])}/explanation`
    const { body: explanation } = await stack.request('POST', path, undefined, { prefer: 'wait=20' })
    expect(explanation).toMatchObject({ state: 'succeeded', method })
    const {
      base_value: base,
      output,
      contributions,
    } = explanation as {
      base_value: number
      output: number
      contributions: { contribution: number }[]
    }
    const sum = contributions.reduce((total, { contribution }) => total + contribution, base)
    expect(Math.abs(sum - output)).toBeLessThan(1e-9)
  })

  it('makes a second version and switches to it and back', async () => {
    prepare(home, 'sample-lightgbm')
    const name = 'my-lightgbm'
    const [, , init = '', ...switches] = commands
    expect(run(init, name).status).toBe(0)
    await untilReady(name, '2')
    const outcomes = switches.map((line) => run(line, name))
    expect(outcomes.map(({ status, text }) => [status, text.trim()])).toEqual([
      [0, `${name}: active 1, before 2, shadow none`],
      [0, `${name}: active 1, before 2, shadow 2`],
      [0, `${name}: active 2, before 1, shadow none`],
      [0, `${name}: active 1, before 2, shadow none`],
    ])
  })
})
