/**
 * Standard normal distribution function, absolute error about 1e-15: Hart et al., Computer Approximations (1968),
 * algorithm 5666, with the continued fraction for |x| > 7.07, as given by West, "Better approximations to cumulative
 * normal functions", Wilmott Magazine (May 2005).
 */
export function normalCdf(x: number): number {
  const z = Math.abs(x)
  if (z > 37) return x > 0 ? 1 : 0
  const density = Math.exp((-z * z) / 2)
  const tail = z < 7.07106781186547 ? (density * numerator(z)) / denominator(z) : density / fraction(z) / SQRT_TWO_PI
  return x > 0 ? 1 - tail : tail
}

const SQRT_TWO_PI = Math.sqrt(2 * Math.PI)

function numerator(z: number): number {
  let sum = 3.52624965998911e-2 * z + 0.700383064443688
  sum = sum * z + 6.37396220353165
  sum = sum * z + 33.912866078383
  sum = sum * z + 112.079291497871
  sum = sum * z + 221.213596169931
  return sum * z + 220.206867912376
}

function denominator(z: number): number {
  let sum = 8.83883476483184e-2 * z + 1.75566716318264
  sum = sum * z + 16.064177579207
  sum = sum * z + 86.7807322029461
  sum = sum * z + 296.564248779674
  sum = sum * z + 637.333633378831
  sum = sum * z + 793.826512519948
  return sum * z + 440.413735824752
}

function fraction(z: number): number {
  return z + 1 / (z + 2 / (z + 3 / (z + 4 / (z + 0.65))))
}
