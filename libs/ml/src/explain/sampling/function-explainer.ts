import type { Explainer, Explanation, ExplanationMethod } from '../explanation.js'
import type { OnProgress } from '../on-progress.js'
import { FunctionShap, type FunctionShapOptions } from './function-shap.js'

/** Log-odds of a float32 probability, kept one rounding step away from 0 and 1 so that it stays finite. */
const logOdds = (p: number): number => {
  const inside = Math.min(Math.max(p, 2 ** -24), 1 - 2 ** -24)
  return Math.log(inside / (1 - inside))
}

/** Explanations of a graph by its answers alone. */
export class FunctionExplainer implements Explainer {
  readonly method: ExplanationMethod
  readonly baseValue: number
  readonly inputs: number

  private constructor(
    private readonly shap: FunctionShap,
    readonly space: 'log_odds' | 'probability',
    inputs: number,
    readonly because: string,
  ) {
    this.method = shap.isExact ? 'exact' : 'permutation'
    this.baseValue = shap.expected
    this.inputs = inputs
  }

  /** `options.predict` answers with probabilities; `because` says why nothing better applies. */
  static async create(
    options: FunctionShapOptions,
    space: 'log_odds' | 'probability',
    because: string,
  ): Promise<FunctionExplainer> {
    const inSpace =
      space === 'probability'
        ? options.predict
        : async (rows: Float64Array, count: number): Promise<Float64Array> =>
            (await options.predict(rows, count)).map(logOdds)
    const shap = await FunctionShap.create({ ...options, predict: inSpace })
    return new FunctionExplainer(shap, space, options.inputs, because)
  }

  async explain(rows: Float64Array | Float32Array, count: number, onProgress?: OnProgress): Promise<Explanation> {
    const { inputs } = this
    const own = Float64Array.from(rows)
    const contributions = new Float64Array(count * inputs)
    const output = new Float64Array(count)
    const standardError = new Float64Array(count * inputs)
    for (let person = 0; person < count; person++) {
      const answer = await this.shap.explain(own, person * inputs, (done, total) =>
        onProgress?.(person * total + done, count * total),
      )
      contributions.set(answer.contributions, person * inputs)
      output[person] = answer.output
      if (answer.standardError !== undefined) standardError.set(answer.standardError, person * inputs)
    }
    return this.shap.isExact ? { contributions, output } : { contributions, output, standardError }
  }
}
