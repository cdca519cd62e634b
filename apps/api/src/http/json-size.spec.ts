import { describe, expect, it } from 'vitest'
import { measureJson, mustBeChecked } from './json-size.js'

const list = (length: number) => `[${Array.from({ length }, () => 1).join()}]`
const members = (length: number) => `{${Array.from({ length }, (_, index) => `"a${index}":1`).join()}}`
const isLong = (body: unknown) => (body as { readonly name?: string }).name === 'long'
const check = (text: string, isLongBody?: typeof isLong) => () => mustBeChecked<unknown>(text, JSON.parse, isLongBody)

describe('A3: the size of JSON', () => {
  it.each([
    ['1', 1, 0],
    [list(100), 101, 0],
    [members(100), 101, 100],
    [`{"a":${list(50)},"b":[{"c":1,"d":2,"e":3}]}`, 57, 3],
    ['[[],[],[[]]]', 8, 0],
    [String.raw`{"a,\",,{[":"\\","b":",,,"}`, 3, 2],
    [']]]],{', 3, 1],
    ['{"a', 2, 0],
  ])('of %s is counted', (text, values, most) => {
    expect(measureJson(text)).toEqual({ values, members: most === 0 ? expect.any(Number) : most })
  })

  it('stops counting at the given limit', () => {
    expect(measureJson(list(1_000), 10)).toMatchObject({ values: 11 })
  })

  it('lets 2,000 values through, and more of them only in the lists of a body that is checked in slices', () => {
    expect(check(list(1_999))()).toHaveLength(1_999)
    for (const text of [list(2_000), members(2_000), `{"a":[${list(1_000)},${list(1_000)}]}`]) {
      expect(check(text)).toThrow('at most 2,000 values')
      expect(check(text, isLong)).toThrow('at most 2,000 values')
    }
    expect(check(`{"name":"long","list":${list(50_000)}}`, isLong)()).toMatchObject({ name: 'long' })
    expect(check(`{"name":"short","list":${list(50_000)}}`, isLong)).toThrow('at most 2,000 values')
    expect(check(`{"name":"long","list":[${members(2_001)}]}`, isLong)).toThrow('at most 2,000 values')
  })
})
