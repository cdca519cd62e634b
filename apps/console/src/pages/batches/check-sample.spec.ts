import { describe, expect, it } from 'vitest'
import { checkSample, isMissing } from './check-sample.ts'
import { parseCsvSample } from './parse-sample.ts'

const input = (name: string, more: object = {}) => ({
  ...{ name, title: name, description: '', unit: 'points', min: 0, max: 30, integer: false },
  ...{ words: null, required: false, imputed: null, typical: null, unit_hints: [] },
  ...more,
})

const model = {
  name: 'screen',
  inputs: [
    input('age', {
      unit: 'years',
      min: 18,
      max: 120,
      required: true,
      unit_hints: [{ min: 216, max: 1440, unit: 'months' }],
    }),
    input('mmse_score', { integer: true }),
    input('sex', { min: 0, max: 1, integer: true, words: { female: 0, male: 1 } }),
  ],
}

const check = (csv: string, missingValues = 'usual') =>
  checkSample({
    sample: parseCsvSample(csv, 20, true),
    model,
    known: new Set(['age', 'mmse_score', 'sex', 'bmi']),
    missingValues,
  })

describe('the check of the first rows of a file', () => {
  it('finds nothing wrong with a good file', () => {
    const { faults, warnings, cells } = check('user_id,Age,mmse_score,sex\n1,72,24,F\n2,80.0,NA,male\n')
    expect({ faults, warnings, cells: [...cells] }).toEqual({ faults: [], warnings: [], cells: [] })
  })

  it.each([
    ['age\n72\n', 'no column "user_id"'],
    ['user_id,mmse_score\n1,24\n', 'computes nothing without age'],
    ['user_id,bmi\n1,24\n', 'No column is an input of screen'],
    ['user_id,age,AGE\n1,24,24\n', 'twice: "AGE"'],
  ])('says why %s is refused', (csv, words) => {
    expect(check(csv).faults.join()).toContain(words)
  })

  it('warns of unknown, unused and absent columns', () => {
    const { faults, warnings } = check('user_id,age,agee,bmi\n1,72,1,20\n')
    expect(faults).toEqual([])
    expect(warnings.join(' ')).toMatch(/input "agee".*does not use "bmi".*without mmse_score, sex/)
  })

  it('passes over the row names of pandas', () => {
    expect(check(',user_id,age\n0,1,72\n').columns.map(({ use }) => use)).toEqual(['row names', 'person', 'input'])
  })

  it('names the cells that do not fit', () => {
    const { cells, columns } = check('user_id,age,mmse_score,sex\n0,864,24.5,x\n1,,40,m\n')
    expect(Object.fromEntries(cells)).toEqual({
      '0 0': 'is no number of a person',
      '0 1': 'lies outside 18 to 120 years; is it in months?',
      '0 2': 'is no whole number',
      '0 3': 'is no number',
      '1 1': 'is needed',
      '1 2': 'lies outside 0 to 30 points',
    })
    expect(columns.map(({ misfits }) => misfits)).toEqual([1, 2, 2, 1])
  })

  it('reads a decimal comma where commas do not separate', () => {
    expect(check('user_id;age\n1;72,5\n').cells.size).toBe(0)
  })

  it.each([
    ['', 'empty', true],
    ['NA', 'usual', true],
    ['NA', 'empty', false],
    ['-9', '-9,unknown', true],
    ['Unknown', '-9, unknown', true],
    ['NA', '-9', false],
  ])('takes "%s" for missing with %s: %s', (cell, wish, expected) => {
    expect(isMissing(cell, wish)).toBe(expected)
  })
})
