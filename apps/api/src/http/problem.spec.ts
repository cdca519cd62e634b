import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { speakPlainly } from './fault-words.js'
import { faultsOf, shownDetail, shownFaults } from './problem.js'

const namesOf = (count: number, length: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${index}`.padStart(length, 'k'), 1]))

describe('the faults of a problem', () => {
  beforeAll(speakPlainly)
  afterAll(() => z.config(z.locales.en()))

  it('A3: are short, however many unknown members a body has and however long their names are', () => {
    for (const body of [namesOf(80_000, 8), namesOf(130, 60_000)]) {
      const { error } = z.strictObject({ rate: z.string() }).safeParse({ ...body, rate: '1' })
      const shown = shownFaults(faultsOf(error?.issues ?? []))
      expect(shown).toHaveLength(51)
      expect(shown[0]?.message).toBe('is not known here')
      expect(shown[50]?.message).toBe(`and ${Object.keys(body).length - 50} more faults`)
      expect(JSON.stringify(shown).length).toBeLessThan(20_000)
    }
  })

  it('A3: are cut where they are written, whoever made them', () => {
    const long = 'x'.repeat(1_000_000)
    const shown = shownFaults(Array.from({ length: 100 }, () => ({ pointer: `/${long}`, message: long })))
    expect(JSON.stringify(shown).length).toBeLessThan(150_000)
    expect(shown[0]).toEqual({ pointer: `/${'x'.repeat(510)}…`, message: `${'x'.repeat(2_047)}…` })
    expect(shownDetail(long)).toHaveLength(2_048)
    expect(shownFaults([{ pointer: '/a', message: 'must be a number' }])).toEqual([
      { pointer: '/a', message: 'must be a number' },
    ])
  })
})
