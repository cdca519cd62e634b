import { quadratureFor } from './quadrature.js'

/** Most different inputs on one path from root to leaf: their pattern is kept in the bits of an integer. */
export const maxPathInputs = 30

/** Bits that are set in `x`. */
export const countBits = (x: number): number => {
  let bits = x - ((x >>> 1) & 0x55555555)
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333)
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

/**
 * Shapley values of the game "the leaf's value if the coalition's inputs lead to it". `failed` has bit k set if the
 * person fails a test of the k-th input on the path, so one integer is all that a person is to a leaf.
 */
export interface LeafGame {
  /** What the leaf adds to the output of a person who reaches it. */
  readonly value: number
  /** Expected value of the leaf over the reference people. */
  readonly expected: number
  /** Adds the Shapley value of the k-th input on the path to `into[at + places[k]]`. */
  addShares(failed: number, into: Float64Array, at: number, places: Int32Array): void
}

const factors = new Float64Array(maxPathInputs)
const totals = new Float64Array(maxPathInputs)

/**
 * The path-dependent game (Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9): an input outside the coalition lets
 * the share `shares[k]` of people through. The weights |S|!(n-|S|-1)!/n! are integrals of t^|S| (1-t)^(n-|S|-1) over
 * [0, 1], so the sum over all coalitions is the integral of the product of t * passed + (1 - t) * share over the other
 * inputs: a polynomial, which a Gauss-Legendre rule integrates exactly, with positive terms only.
 */
export class PathDependentLeaf implements LeafGame {
  readonly expected: number

  constructor(
    readonly value: number,
    private readonly shares: Float64Array,
  ) {
    this.expected = shares.reduce((product, share) => product * share, value)
  }

  addShares(failed: number, into: Float64Array, at: number, places: Int32Array): void {
    const { shares } = this
    const width = shares.length
    const outer = this.failedProduct(failed)
    if (outer === 0) return
    const { points, weights } = quadratureFor(width - 1)
    const failures = countBits(failed)
    let ofFailed = 0
    for (let k = 0; k < width; k++) totals[k] = 0
    for (let q = 0; q < points.length; q++) {
      const t = points[q]!
      let product = weights[q]!
      for (let k = 0; k < width; k++) {
        const factor = t + (1 - t) * shares[k]!
        factors[k] = factor
        if (((failed >>> k) & 1) === 0) product *= factor
      }
      for (let f = 1; f < failures; f++) product *= 1 - t
      ofFailed += product
      if (failures > 0) product *= 1 - t
      for (let k = 0; k < width; k++) totals[k]! += product / factors[k]!
    }
    for (let k = 0; k < width; k++) {
      const place = at + places[k]!
      const share = (failed >>> k) & 1 ? -ofFailed : (1 - shares[k]!) * totals[k]!
      into[place]! += outer * share
    }
  }

  /** Value times the shares of the failed inputs. */
  private failedProduct(failed: number): number {
    let product = this.value
    for (let k = 0; k < this.shares.length; k++) if ((failed >>> k) & 1) product *= this.shares[k]!
    return product
  }
}

const factorials = [1]
for (let n = 1; n <= 2 * maxPathInputs; n++) factorials.push(factorials[n - 1]! * n)
const factorial = (n: number): number => factorials[n]!

/** The integral of t^a (1 - t)^b over [0, 1]. */
const beta = (a: number, b: number): number => (factorial(a) * factorial(b)) / factorial(a + b + 1)

/**
 * The interventional game (Lundberg et al. 2020): an input outside the coalition has the value of a reference person.
 * `patterns` are the distinct bit patterns of inputs that reference people fail, `shares` how many of them have each.
 * A leaf counts for a pair of people if no input is failed by both; then inputs that only the reference person fails
 * lead to the leaf, and inputs that only the person fails lead away from it.
 */
export class InterventionalLeaf implements LeafGame {
  readonly expected: number

  constructor(
    readonly value: number,
    private readonly width: number,
    private readonly patterns: Int32Array,
    private readonly shares: Float64Array,
  ) {
    this.expected = value * (shares[patterns.indexOf(0)] ?? 0)
  }

  addShares(failed: number, into: Float64Array, at: number, places: Int32Array): void {
    const { width, patterns, shares } = this
    const away = countBits(failed)
    let ofFailed = 0
    for (let p = 0; p < patterns.length; p++) {
      const other = patterns[p]!
      if ((other & failed) !== 0) continue
      const towards = countBits(other)
      const weight = this.value * shares[p]!
      if (away > 0) ofFailed -= weight * beta(towards, away - 1)
      if (towards === 0) continue
      const gain = weight * beta(towards - 1, away)
      for (let k = 0; k < width; k++) {
        if (((other >>> k) & 1) === 0) continue
        const place = at + places[k]!
        into[place]! += gain
      }
    }
    for (let k = 0; k < width; k++) {
      if (((failed >>> k) & 1) === 0) continue
      const place = at + places[k]!
      into[place]! += ofFailed
    }
  }
}
