import { explanationText, type ExplainedInput } from '../explain/explanation-text.js'
import type { ExplanationMethod, ExplanationSpace } from '../explain/explanation.js'
import type { ModelInput, RiskManifest } from '../manifest/index.js'
import type { ExplainedRows } from '../runtime/compute-pool.js'

/** What one input added to the explained output. */
export interface Contribution {
  /** Name of the input. */
  readonly feature: string
  readonly title: string
  /** `null`: missing. */
  readonly value: number | null
  readonly unit: string
  readonly contribution: number
  /** Where it was sampled. */
  readonly standardError?: number
}

/** How each input moved the risk of one person: `baseValue` and the contributions add up to `output`, in `space`. */
export interface RiskExplanation {
  readonly outputName: string
  readonly method: ExplanationMethod
  readonly space: ExplanationSpace
  /** Expected output over the reference people. */
  readonly baseValue: number
  readonly output: number
  /** The largest first. */
  readonly contributions: readonly Contribution[]
  /** Largest standard error of a contribution; null where they are exact. */
  readonly standardError: number | null
  /** In plain words, ending with the model's disclaimer. */
  readonly text: string
}

/** One explained row in the words of the model's manifest. */
export const toRiskExplanation = (
  manifest: RiskManifest,
  output: RiskManifest['outputs'][number],
  person: Readonly<Record<string, number>>,
  explained: ExplainedRows,
  row: number,
): RiskExplanation => {
  const { inputs, disclaimer } = manifest
  const at = row * inputs.length
  const inOrder = inputs.map(({ name, title, unit }, column): Contribution => {
    const standardError = explained.standardError?.[at + column]
    return {
      feature: name,
      title,
      value: person[name] ?? null,
      unit,
      contribution: explained.contributions[at + column] ?? NaN,
      ...(standardError !== undefined && { standardError }),
    }
  })
  return {
    outputName: output.name,
    method: explained.method,
    space: explained.space,
    baseValue: explained.baseValue,
    output: explained.output[row] ?? NaN,
    contributions: inOrder.toSorted((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution)),
    standardError: explained.standardError ? Math.max(...inOrder.map(({ standardError }) => standardError ?? 0)) : null,
    text: explanationText(
      inputs.map((input, column) => inWords(input, inOrder[column])),
      disclaimer,
    ),
  }
}

/** An input as a sentence names it: a word in place of a number where the manifest has one. */
const inWords = ({ title, unit, words = {} }: ModelInput, contribution: Contribution | undefined): ExplainedInput => {
  const { value = null, contribution: amount = 0 } = contribution ?? {}
  const word = Object.keys(words).find((each) => words[each] === value)
  return { title, unit, value, contribution: amount, ...(word !== undefined && { word }) }
}
