import { describe, expect, it } from 'vitest'
import { measureJson, parseBounded } from './json-size.js'

const list = (length: number) => `[${Array.from({ length }, () => 1).join()}]`
const members = (length: number) => `{${Array.from({ length }, (_, index) => `"a${index}":1`).join()}}`
const isLong = (body: unknown) => (body as { readonly name?: string }).name === 'long'
const check = (text: string, isLongBody?: typeof isLong) => () => parseBounded<unknown>(text, JSON.parse, isLongBody)

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
    expect(measureJson(text)).toMatchObject({ values, members: most === 0 ? expect.any(Number) : most })
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

  it('lets 150,000 values through in the lists of such a body', () => {
    expect(check(`{"name":"long","list":${list(149_997)}}`, isLong)()).toMatchObject({ name: 'long' })
    expect(check(`{"name":"long","list":${list(150_001)}}`, isLong)).toThrow('or 150,000 in the lists of a batch')
  })
})

describe('the depth of JSON', () => {
  const nested = (depth: number, open = '[', close = ']') => open.repeat(depth) + close.repeat(depth)

  it.each([
    ['100 levels', nested(100), false],
    ['101 levels', nested(101), true],
    ['200,000 levels', nested(200_000), true],
    ['200,000 levels that never close', '['.repeat(200_000), true],
    ['objects', nested(101, '{"a":', '1}'), true],
    ['many lists side by side', `[${'[[]],'.repeat(1_000)}1]`, false],
    ['brackets in text', JSON.stringify(['['.repeat(1_000)]), false],
    ['brackets in text behind an escaped quote', JSON.stringify([`"${'['.repeat(1_000)}`]), false],
    ['brackets behind text that ends in a backslash', `["\\\\",${nested(101)}]`, true],
  ])('E2: %s', (_, text, expected) => expect(measureJson(text).depth > 100).toBe(expected))

  it('E2: is bounded', () => {
    expect(check(`${'{"a":'.repeat(100)}1${'}'.repeat(100)}`)()).toBeInstanceOf(Object)
    expect(check(nested(101))).toThrow('nested deeper than 100 levels')
    expect(check('['.repeat(2_000))).toThrow('nested deeper than 100 levels')
  })
})
