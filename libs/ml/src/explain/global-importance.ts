import type { Explainer } from './explanation.js'

/** How much an input moves the answers of a model. */
export interface InputImportance {
  /** Position among the model's inputs. */
  readonly input: number
  /** Mean absolute contribution over the people, in the explainer's space. */
  readonly meanAbsolute: number
  /** Its part of the sum over all inputs, 0 to 1. */
  readonly share: number
}

/** Mean absolute contribution of each input over `count` people, the most important first. */
export const globalImportance = async (
  explainer: Explainer,
  rows: Float64Array | Float32Array,
  count: number,
): Promise<readonly InputImportance[]> => {
  const { contributions } = await explainer.explain(rows, count)
  const { inputs } = explainer
  const sums = new Float64Array(inputs)
  contributions.forEach((contribution, at) => {
    sums[at % inputs] = (sums[at % inputs] ?? 0) + Math.abs(contribution)
  })
  const total = sums.reduce((sum, part) => sum + part, 0)
  return [...sums]
    .map((sum, input) => ({ input, meanAbsolute: sum / count, share: total === 0 ? 0 : sum / total }))
    .sort((a, b) => b.meanAbsolute - a.meanAbsolute)
}
