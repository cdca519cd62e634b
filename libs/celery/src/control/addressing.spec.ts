import { describe, expect, it } from 'vitest'
import { isAddressed } from './addressing.js'
import type { ControlRequest } from './control-request.js'

const name = 'w57@host'
const request = (changes: Partial<ControlRequest>): ControlRequest => ({
  method: 'ping',
  arguments: {},
  destination: [],
  pattern: undefined,
  matcher: undefined,
  ticket: null,
  replyTo: undefined,
  clock: 1,
  ...changes,
})
const fits = (changes: Partial<ControlRequest>) => isAddressed(name, request(changes))

describe('a command is for', () => {
  it('everyone without destination and pattern, and with only one of pattern and matcher', () => {
    expect([fits({}), fits({ pattern: 'other*' }), fits({ matcher: 'glob' })]).toEqual([true, true, true])
  })

  it('those of its destination, whatever the pattern', () => {
    expect(fits({ destination: ['a@b', name] })).toBe(true)
    expect(fits({ destination: ['a@b'], pattern: '*', matcher: 'glob' })).toBe(false)
  })

  // Each was compared with Python's fnmatch.
  it.each([
    ['w57*', true],
    ['*', true],
    ['', true],
    ['w57', false],
    ['W57*', false],
    ['w5[2-5]*', false],
    ['w5[!2]*', true],
    ['w5[7-9]@h?st', true],
    ['w[5]7@*t', true],
    ['*5*o*', true],
    ['*5*x*', false],
    ['w57@[', false],
    ['w57@host[]x]', false],
    ['w57@hos[]t]', true],
    ['w57@hos[!]x]', true],
  ])('those whose name fits the glob %s: %s', (pattern, expected) => {
    expect(fits({ pattern, matcher: 'glob' })).toBe(expected)
  })

  it.each([
    ['w57', true],
    ['57', false],
    ['(?P<kind>w)57@.*', true],
    ['(?i)W57', true],
    [String.raw`w57@host\Z`, true],
  ])('those whose name starts with the expression %s: %s', (pattern, expected) => {
    expect(fits({ pattern, matcher: 'pcre' })).toBe(expected)
  })

  it('nobody when the pattern cannot be read, or takes long', () => {
    expect(() => fits({ pattern: '(', matcher: 'pcre' })).toThrow()
    expect(() => fits({ pattern: 'x', matcher: 'shell' })).toThrow('glob nor pcre')
    const slow = request({ pattern: '(a+)+b', matcher: 'pcre' })
    expect(() => isAddressed('a'.repeat(60), slow)).toThrow('timed out')
  })

  it('nobody quickly, however many stars its glob has', () => {
    const hard = request({ pattern: '*a'.repeat(50) + 'b', matcher: 'glob' })
    expect(isAddressed('a'.repeat(250), hard)).toBe(false)
  })
})
