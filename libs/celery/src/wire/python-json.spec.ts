import { describe, expect, it } from 'vitest'
import { parsePythonJson, stringifyPythonJson } from './python-json.js'

describe("Python's JSON", () => {
  it.each([
    ['NaN', Number.NaN],
    ['[NaN, Infinity, -Infinity]', [Number.NaN, Infinity, -Infinity]],
    ['{"a": NaN, "b": [1.5e3, "NaN", "Infinity"]}', { a: Number.NaN, b: [1500, 'NaN', 'Infinity'] }],
    [
      '[9007199254740991, 9007199254740993, -9007199254740993]',
      [9007199254740991, 9007199254740993n, -9007199254740993n],
    ],
    ['[1234567890123456.5, true, null, "\\u00e4\\"]"]', [1234567890123456.5, true, null, 'ä"]']],
    ['[[], {}, [[1234567890123456]]]', [[], {}, [[1234567890123456]]]],
  ])('%s is read as it is meant', (text, value) => {
    expect(parsePythonJson(text)).toEqual(value)
  })

  it.each([
    '',
    '{',
    '[NaN',
    '[NaN,]',
    '{"a": NaN,}',
    '[1234567890123456 7]',
    '{NaN: 1}',
    'Infinity x',
    `${'['.repeat(2_000)}NaN`,
    `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    `{"a": [${'{"b": '.repeat(1_000)}1${'}'.repeat(1_000)}]}`,
  ])('%s is rejected', (text) => {
    expect(() => parsePythonJson(text)).toThrow(SyntaxError)
  })

  it('is written so that it is read the same again', () => {
    const value = {
      a: [Number.NaN, Infinity, -Infinity, 9007199254740993n, 0.1, null, true, 'ä"\n'],
      b: { c: [], d: {} },
    }
    expect(parsePythonJson(stringifyPythonJson(value))).toEqual(value)
    expect(stringifyPythonJson({ a: undefined, b: [undefined] })).toBe('{"b": [null]}')
  })

  it('keeps a member with the name of the prototype a member', () => {
    const read = parsePythonJson('{"__proto__": {"polluted": NaN}}') as Record<string, unknown>
    expect([Object.keys(read), 'polluted' in read]).toEqual([['__proto__'], false])
  })
})
