import { describe, expect, it } from 'vitest'
import { absenceOf, checkEntry, formatValue, kindOf, rangeOf, type ModelInput } from './inputs.js'

const input = (more: Partial<ModelInput> = {}): ModelInput => ({
  name: 'age',
  title: 'Age',
  description: '',
  unit: 'years',
  min: 18,
  max: 120,
  integer: false,
  words: null,
  required: false,
  imputed: null,
  typical: null,
  unit_hints: [],
  ...more,
})
const check = (of: ModelInput, text: string) => checkEntry(of, { text, isUnknown: false })

const cholesterol = input({ unit: 'mmol/L', min: 1.5, max: 16, unit_hints: [{ min: 58, max: 620, unit: 'mg/dL' }] })
const pressure = input({ unit: 'mmHg', min: 60, max: 280, unit_hints: [{ min: 8, max: 37.5, unit: 'kPa' }] })
const volume = input({
  unit: 'cm3',
  min: 900,
  max: 2300,
  unit_hints: [
    { min: 900_000, max: 2_300_000, unit: 'mm3' },
    { min: 0.9, max: 2.3, unit: 'litres' },
  ],
})

describe('an entry', () => {
  it('is a number, with a point or a comma', () => {
    expect(['72', ' 72.5 ', '72,5', '+72'].map((text) => check(input(), text).value)).toEqual([72, 72.5, 72.5, 72])
    for (const text of ['seventy', '1e2', '72 years', '1,000.5', '-', '.'])
      expect(check(input(), text).fault, text).toBe('Enter a number, such as 24 or 5.2.')
  })

  it('may be unknown only by choice, and only where the model can do without it', () => {
    expect(check(input(), '').fault).toBe('Enter a number, or "unknown".')
    expect(checkEntry(input(), { text: '', isUnknown: true })).toEqual({})
    expect(checkEntry(input({ required: true }), { text: '', isUnknown: true }).fault).toBe(
      'Enter a number: the model needs it.',
    )
  })

  it('outside the range is refused, outside the usual range it is extrapolated', () => {
    expect(check(input(), '17').fault).toBe('17 is below 18 years: the model refuses it.')
    expect(check(input(), '121').fault).toBe('121 is above 120 years: the model refuses it.')
    const usual = input({ typical: { low: 46, high: 92 } })
    expect(check(usual, '92').warning).toBeUndefined()
    expect(check(usual, '93')).toMatchObject({ value: 93, warning: expect.stringContaining('Outside 46 to 92') })
    expect(check(input({ integer: true }), '20.5').fault).toBe('Enter a whole number.')
  })

  it.each([
    [cholesterol, '200', 'mg/dL', 5.17],
    [pressure, '16', 'kPa', 120],
    [volume, '1500000', 'mm3', 1500],
    [volume, '1.5', 'litres', 1500],
    [input({ unit_hints: [{ min: 216, max: 1440, unit: 'months' }] }), '864', 'months', 72],
  ])('that looks like another unit is converted (%#)', (of, text, from, value) => {
    expect(check(of, text).conversion).toEqual({ from, value })
  })

  it('is not converted by a hint whose range is not that of the input', () => {
    expect(check(input({ unit_hints: [{ min: 200, max: 300, unit: 'moons' }] }), '250').conversion).toBeUndefined()
  })
})

describe('an input', () => {
  it('of words is a choice, one that is no number is of an unknown kind', () => {
    expect(kindOf(input())).toBe('number')
    expect(kindOf(input({ words: { no: 0, yes: 1 } }))).toBe('choice')
    expect(kindOf({ ...input(), kind: 'video' } as ModelInput)).toBe('unknown')
    expect(kindOf({ name: 'film', title: 'Film', required: true } as ModelInput)).toBe('unknown')
    expect(check({ name: 'film', title: 'Film', required: true } as ModelInput, '').fault).toContain(
      'cannot ask for it',
    )
  })

  it('says its range, its values in words, and what stands for an unknown one', () => {
    expect(rangeOf(input({ integer: true, typical: { low: 46, high: 92 } }))).toBe(
      '18 to 120, whole numbers; usually 46 to 92.',
    )
    expect(formatValue(input(), 72)).toBe('72 years')
    expect(formatValue(input({ words: { primary_diploma: 1 } }), 1)).toBe('primary diploma')
    expect(absenceOf(input({ imputed: 70 }), 'impute')).toBe('Unknown counts as 70 years.')
  })
})
