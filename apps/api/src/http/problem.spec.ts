import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { faultsOf, toldDetail, toldFaults } from './problem.js'

const namesOf = (count: number, length: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${index}`.padStart(length, 'k'), 1]))

describe('the faults of a problem', () => {
  it('A3: are short, however many unknown members a body has and however long their names are', () => {
    for (const body of [namesOf(80_000, 8), namesOf(130, 60_000)]) {
      const { error } = z.strictObject({ rate: z.string() }).safeParse({ ...body, rate: '1' })
      const told = toldFaults(faultsOf(error?.issues ?? []))
      expect(told).toHaveLength(51)
      expect(told[0]?.message).toBe('is not known here')
      expect(told[50]?.message).toBe(`and ${Object.keys(body).length - 50} more faults`)
      expect(JSON.stringify(told).length).toBeLessThan(20_000)
    }
  })

  it('A3: are cut where they are written, whoever made them', () => {
    const long = 'x'.repeat(1_000_000)
    const told = toldFaults(Array.from({ length: 100 }, () => ({ pointer: `/${long}`, message: long })))
    expect(JSON.stringify(told).length).toBeLessThan(150_000)
    expect(told[0]).toEqual({ pointer: `/${'x'.repeat(510)}…`, message: `${'x'.repeat(2_047)}…` })
    expect(toldDetail(long)).toHaveLength(2_048)
    expect(toldFaults([{ pointer: '/a', message: 'must be a number' }])).toEqual([
      { pointer: '/a', message: 'must be a number' },
    ])
  })
})
