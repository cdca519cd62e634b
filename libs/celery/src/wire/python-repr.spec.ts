import { expect, it } from 'vitest'
import { pythonRepr } from './python-repr.js'

it.each([
  [null, 'None'],
  [true, 'True'],
  [1.5, '1.5'],
  ['a', "'a'"],
  ["it's", `"it's"`],
  [`"it's"`, String.raw`'"it\'s"'`],
  ['a\nb\\\u0007\u0085é', String.raw`'a\nb\\\x07\x85é'`],
  [['a', 2], "['a', 2]"],
  [{ a: ['b'], c: false }, "{'a': ['b'], 'c': False}"],
  [new Set(['a', 'b']), "{'a', 'b'}"],
  [new Set(), 'set()'],
])('%j is %s in Python', (value, text) => {
  expect(pythonRepr(value)).toBe(text)
})
