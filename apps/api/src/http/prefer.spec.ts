import { describe, expect, it } from 'vitest'
import { waitSecondsOf } from './prefer.js'

describe('the Prefer header', () => {
  it.each([
    [undefined, 0],
    ['', 0],
    ['wait=5', 5],
    ['wait=0', 0],
    ['respond-async, wait=10', 10],
    ['respond-async;wait=10', 10],
    ['Wait = "7"', 7],
    ['wait=25', 25],
    ['wait=26', 25],
    ['wait=999999999999', 25],
    ['wait=-3', 0],
    ['wait=soon', 0],
    ['await=5', 0],
  ])('%j asks for %i seconds', (header, seconds) => {
    expect(waitSecondsOf(header)).toBe(seconds)
  })
})
