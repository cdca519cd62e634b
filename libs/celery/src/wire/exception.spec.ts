import { describe, expect, it } from 'vitest'
import {
  billiardError,
  builtinError,
  celeryError,
  exceptionRepr,
  readStoredException,
  storedException,
} from './exception.js'

describe("Python's exceptions", () => {
  it.each([
    [builtinError('ValueError'), 'ValueError()'],
    [builtinError('ValueError', 'boom', 3), "ValueError('boom', 3)"],
    [billiardError('TimeLimitExceeded', 30), 'TimeLimitExceeded(30)'],
    [celeryError('NotRegistered', 'ml.x'), "Task of kind 'ml.x' never registered, please make sure it's imported."],
    [{ type: 'Outer.Inner', module: 'clinic', args: [null] }, 'Inner(None)'],
  ])('%j is shown as %s, also after it was stored', (exception, shown) => {
    expect(exceptionRepr(exception)).toBe(shown)
    const stored: unknown = JSON.parse(JSON.stringify(storedException(exception)))
    expect(readStoredException(stored)).toEqual(exception)
  })

  const shownArguments: readonly (readonly [unknown, string])[] = [
    ["it's", `"it's"`],
    ['a"b', `'a"b'`],
    [`it's "x"`, String.raw`'it\'s "x"'`],
    ['a\nb\t\\', String.raw`'a\nb\t\\'`],
    ['é☃\0\u007f\u200b\ud7ff', String.raw`'é☃\x00\x7f\u200b\ud7ff'`],
    ['😀\u{e0001}', String.raw`'😀\U000e0001'`],
    ['\u00a0\u2028', String.raw`'\xa0\u2028'`],
    [1e-5, '1e-05'],
    [1e-7, '1e-07'],
    [1e22, '1e+22'],
    [0.0001, '0.0001'],
    [Number.NaN, 'nan'],
    [-Infinity, '-inf'],
    [2n ** 60n, '1152921504606846976'],
    [[true, { a: null, b: [{}] }], "[True, {'a': None, 'b': [{}]}]"],
  ]
  it.each(shownArguments.map(([value, shown]) => ({ shown, value })))(
    'an argument is shown as $shown',
    ({ value, shown }) => {
      expect(exceptionRepr(builtinError('E', value))).toBe(`E(${shown})`)
    },
  )

  it('are read from what other workers have stored', () => {
    expect(readStoredException({ exc_type: 'E', exc_message: 'text' })).toEqual({
      type: 'E',
      module: 'celery.backends.base',
      args: ['text'],
    })
    expect([null, 'E', {}].map(readStoredException)).toEqual([undefined, undefined, undefined])
  })
})
