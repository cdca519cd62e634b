/** Points and weights of a rule for integrals over [0, 1]. */
export interface Quadrature {
  readonly points: Float64Array
  readonly weights: Float64Array
}

/** Gauss-Legendre rule of `count` points on [0, 1]: exact for polynomials up to degree 2 * count - 1. */
const gaussLegendre = (count: number): Quadrature => {
  const points = new Float64Array(count)
  const weights = new Float64Array(count)
  for (let i = 0; i < count; i++) {
    // Newton's method on the Legendre polynomial, from Tricomi's estimate of its i-th root.
    let x = Math.cos((Math.PI * (i + 0.75)) / (count + 0.5))
    let slope = 1
    for (let step = 0; step < 20; step++) {
      let [previous, value] = [1, x]
      for (let degree = 2; degree <= count; degree++) {
        ;[previous, value] = [value, ((2 * degree - 1) * x * value - (degree - 1) * previous) / degree]
      }
      slope = (count * (x * value - previous)) / (x * x - 1)
      const move = value / slope
      x -= move
      if (Math.abs(move) < 1e-16) break
    }
    points[i] = (1 + x) / 2
    weights[i] = 1 / ((1 - x * x) * slope * slope)
  }
  return { points, weights }
}

const rules: Quadrature[] = []

/** The smallest Gauss-Legendre rule on [0, 1] that is exact for polynomials of `degree`. */
export const quadratureFor = (degree: number): Quadrature => {
  const count = Math.max(1, Math.ceil((degree + 1) / 2))
  return (rules[count] ??= gaussLegendre(count))
}
