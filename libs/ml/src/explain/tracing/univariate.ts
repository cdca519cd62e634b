/**
 * A number inside a graph that depends on one input of the model at most: a raw, scaled or imputed input, a missing
 * indicator, one column of a one-hot encoding. Splits and linear terms on such numbers are splits and terms of that input.
 */
export interface Univariate {
  readonly kind: 'univariate'
  /** Position of the input it depends on; -1: on none, it is a constant. */
  readonly source: number
  /** Its value where that input is `x`; NaN stands for missing. */
  readonly at: (x: number) => number
}

/** A number that no input changes. */
export const constant = (value: number): Univariate => ({ kind: 'univariate', source: -1, at: () => value })

/** The value of a constant. */
export const constantValue = (scalar: Univariate): number => scalar.at(NaN)

/** The input at `source` as it is. */
export const rawInput = (source: number): Univariate => ({ kind: 'univariate', source, at: (x) => x })

/** `operation` on numbers which all depend on the same one input, or undefined if they depend on several. */
export const combine = (
  operands: readonly Univariate[],
  operation: (values: readonly number[]) => number,
): Univariate | undefined => {
  const sources = new Set(operands.map((operand) => operand.source).filter((source) => source >= 0))
  const [source] = sources
  if (source === undefined) return constant(operation(operands.map(constantValue)))
  if (sources.size > 1) return undefined
  return { kind: 'univariate', source, at: (x) => operation(operands.map((operand) => operand.at(x))) }
}
