import { describe, expect, it } from 'vitest'
import { mergePages, walk, type WalkStep } from './bounded-walk.js'

const keyOf = (row: string) => row
/** Keys as numbers of equal length, newest first. */
const isAbove = (a: string, b: string) => a > b

/** A list of keys from 99 down, of which those of `fitting` fit, read ten at a time. */
const stepOf =
  (fitting: readonly string[], onStep: () => void = () => undefined) =>
  async (before: string, missing: number): Promise<WalkStep<string>> => {
    onStep()
    const to = Math.max(0, Number(before) - 10)
    const rows = fitting.filter((key) => Number(key) < Number(before) && Number(key) >= to).slice(0, missing)
    return { rows, readTo: rows.length === missing || to === 0 ? null : String(to) }
  }

describe('E6: a walk down a list', () => {
  it('goes on until the page is full, and says where the next begins', async () => {
    const fitting = ['95', '71', '42', '11']
    const first = await walk(2, '99', stepOf(fitting), keyOf)
    expect(first).toEqual({ rows: ['95', '71'], next: '71' })
    expect(await walk(2, '71', stepOf(fitting), keyOf)).toEqual({ rows: ['42', '11'], next: null })
  })

  it('ends after a time where few rows fit, and goes on from there', async () => {
    const slow = () => {
      const end = performance.now() + 130
      while (performance.now() < end);
    }
    const page = await walk(5, '99', stepOf(['95', '11'], slow), keyOf)
    expect(page).toEqual({ rows: ['95'], next: '89' })
    const rest = await walk(5, '89', stepOf(['95', '11']), keyOf)
    expect(rest).toEqual({ rows: ['11'], next: null })
  })

  it('of several lists gives out no row below the end of one of them', () => {
    const pages = [
      { rows: ['90', '50'], next: '50' },
      { rows: ['80', '20'], next: null },
    ]
    expect(mergePages(pages, 5, keyOf, isAbove)).toEqual({ rows: ['90', '80', '50'], next: '50' })
    expect(mergePages(pages, 2, keyOf, isAbove)).toEqual({ rows: ['90', '80'], next: '80' })
  })

  it('gives a row out once that moved from one list to another between the reads', () => {
    const pages = [
      { rows: ['90', '80'], next: null },
      { rows: ['90', '70'], next: null },
    ]
    expect(mergePages(pages, 2, keyOf, isAbove)).toEqual({ rows: ['90', '80'], next: '80' })
    expect(mergePages(pages, 5, keyOf, isAbove)).toEqual({ rows: ['90', '80', '70'], next: null })
  })
})
