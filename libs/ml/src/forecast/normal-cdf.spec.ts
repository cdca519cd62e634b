import { describe, expect, it } from 'vitest'
import { normalCdf } from './normal-cdf.js'

describe('normalCdf', () => {
  // scipy.special.ndtr
  it.each([
    [-20, 2.7536241186061556e-89],
    [-8.5, 9.47953482220325e-18],
    [-7.0710678, 7.687299629545428e-13],
    [-7.0710679, 7.687294089058918e-13],
    [-5, 2.866515718791933e-7],
    [-2.5, 0.006209665325776132],
    [-1.959963984540054, 0.025],
    [-1, 0.15865525393145707],
    [-0.3, 0.3820885778110474],
    [0, 0.5],
    [1e-9, 0.5000000003989423],
    [0.7, 0.758036347776927],
    [1.2815515655446004, 0.8999999999999999],
    [3.3, 0.9995165758576162],
    [6, 0.9999999990134123],
  ])('of %d equals scipy to 2e-15', (x, expected) => {
    expect(Math.abs(normalCdf(x) - expected)).toBeLessThan(2e-15)
  })

  it('reaches 0 and 1 far out', () => {
    expect([normalCdf(-38), normalCdf(9), normalCdf(-Infinity), normalCdf(Infinity)]).toEqual([0, 1, 0, 1])
  })
})
