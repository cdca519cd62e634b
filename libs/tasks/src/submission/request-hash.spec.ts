import { describe, expect, it } from 'vitest'
import { requestHash } from './request-hash.js'

describe('the hash of a request', () => {
  it('is the same whatever the order of its members, but not of its lists', () => {
    expect(requestHash({ a: 1, b: { c: [1, 2], d: 'x' } })).toBe(requestHash({ b: { d: 'x', c: [1, 2] }, a: 1 }))
    expect(requestHash({ a: [1, 2] })).not.toBe(requestHash({ a: [2, 1] }))
    expect(requestHash({ a: 1 })).not.toBe(requestHash({ a: '1' }))
  })

  it.each([
    [
      JSON.stringify([
        123,
        [
          ['age', 72],
          ['mmse_score', 24],
        ],
        null,
      ]),
      'cb2e04bf8aa5ccfd0bcfd01a3ec38c7e80cd34e884e77f64e4886746864c38af',
    ],
    ['forecast 123 6,12', 'c9f773768e49b173d5eb662cb3811c5a1f3e0c2592d973fd5f956091c4e03eb3'],
    [
      ['ml.health_check', { b: 1, a: 2 }, null, null, undefined, undefined, { eta: new Date(0) }],
      'c6a7f2b614698105703600a693e02c06ea011df7ceadd4a8862e74077d4c0610',
    ],
  ])('is the one that earlier versions have stored: %s', (request, hash) => {
    expect(requestHash(request)).toBe(hash)
  })
})
