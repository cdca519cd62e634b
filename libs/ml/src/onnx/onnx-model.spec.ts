import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryGuardError } from '#libs/platform'
import { writeOnnx, type WrittenModel } from '../../../../test/support/onnx-writer.js'
import { readOnnxModel } from './index.js'

const fixtures = new URL('../../../../test/fixtures/models/', import.meta.url)
const bytesOf = (name: string): Buffer => readFileSync(new URL(`${name}/1/model.onnx`, fixtures))

const errorOf = (bytes: Uint8Array): MemoryGuardError | undefined => {
  try {
    readOnnxModel(bytes)
    return undefined
  } catch (error) {
    if (error instanceof MemoryGuardError) return error
    throw error
  }
}

const graph = (change: Partial<WrittenModel>): Uint8Array =>
  writeOnnx({
    inputs: 2,
    nodes: [{ operator: 'Add', inputs: ['X', 'b'], outputs: ['Y'] }],
    constants: { b: { dims: [2], floats: [1, -0.5] } },
    outputs: { Y: 'float32' },
    ...change,
  })

describe('readOnnxModel', () => {
  it('reads inputs, outputs, operators, constants and operator sets', () => {
    const model = readOnnxModel(graph({}))
    expect(model.inputs).toEqual([{ name: 'X', kind: 'tensor', type: 'float32', dims: [null, 2] }])
    expect(model.outputs).toEqual([{ name: 'Y', kind: 'tensor', type: 'float32' }])
    expect(model.nodes.map(({ operator, domain, inputs }) => [operator, domain, inputs])).toEqual([
      ['Add', '', ['X', 'b']],
    ])
    expect([...(model.initializers.get('b')?.numbers() ?? [])]).toEqual([1, -0.5])
    expect([...model.opsets]).toEqual([
      ['', 15],
      ['ai.onnx.ml', 3],
    ])
  })

  it('reads negative integers and 64-bit constants', () => {
    const model = readOnnxModel(
      graph({
        nodes: [{ operator: 'Gather', inputs: ['X', 'at'], outputs: ['Y'], attributes: { axis: { int: -1 } } }],
        constants: { at: { dims: [2], ints: [-3, 2 ** 40] } },
      }),
    )
    expect(model.nodes[0]?.attributes.get('axis')).toEqual({ kind: 'int', value: -1 })
    expect([...(model.initializers.get('at')?.numbers() ?? [])]).toEqual([-3, 2 ** 40])
  })

  it.each(readdirSync(fixtures))('reads %s as its library wrote it', (name) => {
    const model = readOnnxModel(bytesOf(name))
    expect(model.inputs.map((input) => input.name)).toEqual(['X'])
    expect(model.outputs.map((output) => output.name)).toEqual(['probabilities'])
  })

  it('names what is wrong with a file that was cut short, wherever it was', () => {
    const bytes = bytesOf('sample-network')
    for (let length = 0; length < bytes.length; length++) {
      const error = errorOf(bytes.subarray(0, length))
      // A cut between two parts of the file is seen only if a part that matters is gone.
      if (error !== undefined) expect(error.code).toBe('MODEL_INVALID')
      else expect(length).toBeGreaterThan(bytes.length - 40)
    }
  })

  it('meets any damaged file with an error of ours or a graph', () => {
    const bytes = bytesOf('sample-logistic')
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (changes) => {
          const damaged = Uint8Array.from(bytes)
          for (const [at, value] of changes) damaged[at] = value
          const error = errorOf(damaged)
          if (error !== undefined) expect(error.code).toBe('MODEL_INVALID')
        },
      ),
      { numRuns: 500 },
    )
  })

  it('meets random bytes with an error of ours', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(errorOf(bytes)?.code).toBe('MODEL_INVALID')
      }),
    )
  })

  it.each([
    ['an input that nothing makes', { constants: {} }, 'uses "b" before it is made'],
    ['an output that nothing makes', { outputs: { Z: 'float32' as const } }, 'output "Z" is made by no node'],
    ['a constant shorter than its shape', { constants: { b: { dims: [3], floats: [1] } } }, 'holds 4 of 12'],
    [
      'an operator set it does not import',
      { nodes: [{ operator: 'Fancy', domain: 'org.other', inputs: ['X'], outputs: ['Y'] }] },
      'imports no such operator set',
    ],
  ])('refuses %s', (_, change, message) => {
    expect(errorOf(graph(change))?.message).toContain(message)
  })
})
