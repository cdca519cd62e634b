import { MemoryGuardError } from '#libs/platform'
import type { BackgroundRows, Explainer, Explanation, ExplanationMethod, ExplanationSpace } from './explanation.js'
import type { Additive } from './tracing/trace-graph.js'
import { coverSourceOf, sharesOf } from './trees/tree-reference.js'
import { TreeShap } from './trees/tree-shap.js'

/** The space in which a traced output is a sum. */
export const naturalSpace = { logistic: 'log_odds', identity: 'probability', softmax: 'score' } as const

/** Copies rows as the graph sees them. */
export const roundRows = (rows: Float64Array | Float32Array, toFloat32: boolean): Float64Array =>
  toFloat32 && rows instanceof Float64Array ? rows.map(Math.fround) : Float64Array.from(rows)

/** Exact explanations of a sum of trees and functions of single inputs. */
export class AdditiveExplainer implements Explainer {
  readonly space: ExplanationSpace
  readonly baseValue: number
  private readonly trees: TreeShap
  /** Weighted mean of each univariate term over the background. */
  private readonly means: Float64Array

  /**
   * @throws {MemoryGuardError} MODEL_INVALID if the method needs a background and there is none, or if it leaves an
   * output undefined.
   */
  constructor(
    private readonly traced: Additive,
    readonly inputs: number,
    readonly method: Extract<ExplanationMethod, 'tree_path_dependent' | 'tree_interventional' | 'linear'>,
    background: BackgroundRows | undefined,
  ) {
    const { sum } = traced
    this.space = naturalSpace[traced.link]
    if ((method !== 'tree_path_dependent' || sum.terms.length > 0) && background === undefined) {
      throw new MemoryGuardError(
        'MODEL_INVALID',
        `The method "${method}" compares with reference people: name a background file in the manifest.`,
      )
    }
    const covers = coverSourceOf(sum, background)
    this.trees = new TreeShap(
      sum.trees,
      (tree) =>
        method === 'tree_path_dependent' || background === undefined
          ? { kind: 'path_dependent', shares: sharesOf(tree, covers, background, inputs) }
          : { kind: 'interventional', background },
      inputs,
    )
    this.means = Float64Array.from(sum.terms, ({ weight, of }) => {
      if (background === undefined) return 0
      let total = 0
      for (let row = 0; row < background.count; row++) {
        total += weight * of.at(background.rows[row * inputs + of.source]!)
      }
      return total / background.count
    })
    this.baseValue = this.means.reduce((total, mean) => total + mean, sum.bias + this.trees.expected)
    if (!Number.isFinite(this.baseValue)) {
      throw new MemoryGuardError(
        'MODEL_INVALID',
        'The background holds missing values that the model has no way to treat: fill them in.',
      )
    }
  }

  async explain(rows: Float64Array | Float32Array, count: number): Promise<Explanation> {
    const { inputs, means, trees } = this
    const { sum, roundsInputs } = this.traced
    const own = roundRows(rows, roundsInputs)
    const stride = inputs + 1
    const raw = new Float64Array(count * stride)
    trees.addContributions(own, count, raw)
    const contributions = new Float64Array(count * inputs)
    const output = new Float64Array(count)
    for (let person = 0; person < count; person++) {
      contributions.set(raw.subarray(person * stride, person * stride + inputs), person * inputs)
      output[person] = sum.bias + raw[person * stride + inputs]!
    }
    for (const [term, { weight, of }] of sum.terms.entries()) {
      for (let person = 0; person < count; person++) {
        const at = person * inputs + of.source
        const value = weight * of.at(own[at]!)
        contributions[at] = contributions[at]! + value - means[term]!
        output[person]! += value
      }
    }
    if (!output.every(Number.isFinite)) {
      throw new MemoryGuardError('MODEL_OUTPUT_INVALID', 'The model returns no finite number for these inputs.')
    }
    return { contributions, output }
  }
}
