import { describe, expect, it } from 'vitest'
import type { RiskManifest } from '../manifest/index.js'
import { encodeRows } from './encode-rows.js'

const encode = (missing: RiskManifest['missing'], people: Parameters<typeof encodeRows>[1]) =>
  // Only the names of the inputs and the rule for missing ones are read.
  [...encodeRows({ inputs: [{ name: 'mmse_score' }, { name: 'age' }], missing } as RiskManifest, people)]

describe('the feature matrix', () => {
  it('has a row for each person and the columns in the order of the manifest', () => {
    expect(
      encode({ rule: 'native' }, [
        { age: 72, mmse_score: 24 },
        { mmse_score: 0, age: 80.5, bmi: 1 },
      ]),
    ).toEqual([24, 72, 0, 80.5])
  })

  it('has NaN for what is missing where the graph understands it', () => {
    expect(encode({ rule: 'native' }, [{ age: 72 }, { mmse_score: null, age: 60 }, {}])).toEqual([
      NaN,
      72,
      NaN,
      60,
      NaN,
      NaN,
    ])
  })

  it('has the stated value for what is missing otherwise, and NaN where none is stated', () => {
    expect(encode({ rule: 'impute', values: { mmse_score: 27 } }, [{ age: 72 }, { mmse_score: 0 }])).toEqual([
      27,
      72,
      0,
      NaN,
    ])
  })

  it('is empty without people', () => {
    expect(encode({ rule: 'native' }, [])).toEqual([])
  })
})
