import { describe, expect, it } from 'vitest'
import { isDatabaseUnavailable, isTextRefused } from './database-unavailable.js'

const withCode = (code: string) => Object.assign(new Error('no'), { code })

describe('an error of the database', () => {
  it.each([
    'ECONNREFUSED',
    'ECONNRESET',
    '08006',
    '40P01',
    '53300',
    '57P01',
    '57P03',
    '25006',
    '53100',
    '58030',
    'XX000',
    '55P03',
  ])('B4: passes if it is %s', (code) => {
    expect(isDatabaseUnavailable(withCode(code))).toBe(true)
    expect(isDatabaseUnavailable(Object.assign(new Error('query'), { driverError: withCode(code) }))).toBe(true)
  })

  it.each(['23505', '22P02', '42P01', 'ENOENT', '53'])('stays if it is %s', (code) => {
    expect(isDatabaseUnavailable(withCode(code))).toBe(false)
  })

  it('passes without a code if the connection was lost, and nothing else does', () => {
    expect(isDatabaseUnavailable(new Error('Connection terminated unexpectedly'))).toBe(true)
    expect(isDatabaseUnavailable(new Error('timeout exceeded when trying to connect'))).toBe(true)
    expect(isDatabaseUnavailable(new Error('no such thing'))).toBe(false)
    expect(isDatabaseUnavailable('Connection terminated')).toBe(false)
  })

  it('is about a text that cannot be stored, or is not', () => {
    expect(['22021', '22P05', '22P02', '23505'].map((code) => isTextRefused(withCode(code)))).toEqual([
      true,
      true,
      false,
      false,
    ])
    expect(isTextRefused('22021')).toBe(false)
  })
})
