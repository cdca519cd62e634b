import { describe, expect, it } from 'vitest'
import { withoutPerson } from './erased-chunk.js'

describe('a chunk without a person', () => {
  it('keeps everything of the others at its place', () => {
    const { rest, rows, errors } = withoutPerson(
      {
        user_ids: ['7', '1', '7', '2', '3'],
        lines: [2, 3, 4, 6, 7],
        prediction_ids: ['10', '11', '12', '13', '14'],
        metrics: '[{"a":1},{"a":2},{"a":3},{"a":4},{"a":5}]',
        warnings: { 0: ['of 7'], 3: ['of 2'] },
        errors: [{ user_id: 7 }, { user_id: null }, { user_id: 1 }],
      },
      7,
    )
    expect(rest).toEqual({
      user_ids: ['1', '2', '3'],
      lines: [3, 6, 7],
      prediction_ids: ['11', '13', '14'],
      metrics: '[{"a":2},{"a":4},{"a":5}]',
      warnings: { 1: ['of 2'] },
      errors: [{ user_id: null }, { user_id: 1 }],
    })
    expect([rows, errors]).toEqual([2, 1])
  })

  it('loses only errors once it is stored', () => {
    const stored = { user_ids: null, lines: null, prediction_ids: null, metrics: null, warnings: null }
    expect(withoutPerson({ ...stored, errors: [{ user_id: 7 }] }, 7)).toEqual({
      rest: { ...stored, errors: [] },
      rows: 0,
      errors: 1,
    })
  })
})
