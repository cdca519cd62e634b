import { MemoryGuardError, type InputFault } from '#libs/platform'
import { categoryOf, type Golden, type RiskManifest } from '../manifest/index.js'
import type { OutputTensors } from '../runtime/compute-pool.js'

/** Value of one output of a model, with its interval where the model gives one. */
export interface RiskOutput {
  readonly value: number
  readonly lower?: number
  readonly upper?: number
}

/** The risk of one person. */
export interface Risk {
  /** Value of the primary output. */
  readonly score: number
  readonly category: string
  readonly primary: RiskOutput
  readonly outputs: Readonly<Record<string, RiskOutput>>
  /** Level of the intervals, e.g. 0.9; null where the model gives none. */
  readonly level: number | null
}

/** Rounding error that float32 sums of many parts stay below: by so much a sound model may miss a bound. */
const roundingError = 1e-5

/** The value, moved to the bound that it misses by rounding alone; anything else stays as it is. */
const withinBounds = (value: number, low: number, high: number): number => {
  if (value < low && value >= low - roundingError) return low
  return value > high && value <= high + roundingError ? high : value
}

/** The value of a column without its rounding error; NaN if the tensor has no such column. */
const readColumn = (
  tensors: OutputTensors,
  { tensor, column }: { tensor: string; column: number },
  row: number,
): number => {
  const { data, columns } = tensors[tensor] ?? { data: new Float64Array(0), columns: 0 }
  return column < columns ? withinBounds(data[row * columns + column] ?? NaN, 0, 1) : NaN
}

/** Outputs by name, without rounding errors: an interval holds its value, and a longer horizon is no less likely. */
const readOutputs = (manifest: RiskManifest, tensors: OutputTensors, row: number): Record<string, RiskOutput> => {
  const outputs: Record<string, RiskOutput> = {}
  for (const { name, value: valueAt, lower, upper } of manifest.outputs) {
    const value = readColumn(tensors, valueAt, row)
    const output: { value: number; lower?: number; upper?: number } = { value }
    if (lower) output.lower = withinBounds(readColumn(tensors, lower, row), 0, value)
    if (upper) output.upper = withinBounds(readColumn(tensors, upper, row), value, 1)
    outputs[name] = output
  }
  raiseLaterHorizons(manifest, outputs)
  return outputs
}

const raiseLaterHorizons = (manifest: RiskManifest, outputs: Record<string, RiskOutput>): void => {
  let earlier: RiskOutput | undefined
  for (const name of namesByHorizon(manifest)) {
    const output = outputs[name]
    if (!output) continue
    const value = earlier ? withinBounds(output.value, earlier.value, 1) : output.value
    if (value !== output.value) {
      const { upper } = output
      outputs[name] = { ...output, value, ...(upper !== undefined && { upper: withinBounds(upper, value, 1) }) }
    }
    earlier = outputs[name]
  }
}

const horizonNames = new WeakMap<RiskManifest, readonly string[]>()

/** Outputs that speak of a time ahead, the nearest first; made once for each manifest. */
const namesByHorizon = (manifest: RiskManifest): readonly string[] => {
  const known = horizonNames.get(manifest)
  if (known) return known
  const names = manifest.outputs
    .flatMap(({ name, horizon_years: years }) => (years === null ? [] : [{ name, years }]))
    .sort((a, b) => a.years - b.years)
    .map(({ name }) => name)
  const compared = names.length > 1 ? names : []
  horizonNames.set(manifest, compared)
  return compared
}

/** One row of a run, or the error that this person alone gets. */
export const toRisk = (manifest: RiskManifest, tensors: OutputTensors, row: number): Risk | MemoryGuardError => {
  const outputs = readOutputs(manifest, tensors, row)
  const primary = outputs[manifest.primary_output]
  const numbers = Object.values(outputs).flatMap(({ value, lower, upper }) => [value, lower ?? value, upper ?? value])
  if (!primary || !numbers.every(isProbability)) {
    return new MemoryGuardError('MODEL_OUTPUT_INVALID', 'The model returned something that is no probability.')
  }
  const category = categoryOf(manifest, primary.value)
  return { score: primary.value, category, primary, outputs, level: manifest.interval?.level ?? null }
}

/** Where a run of the golden cases gives no probability, or differs from the file by more than its tolerance. */
export const goldenFaults = (manifest: RiskManifest, golden: Golden, tensors: OutputTensors): readonly InputFault[] => {
  const faults: InputFault[] = []
  golden.cases.forEach((expected, row) => {
    for (const [name, given] of Object.entries(readOutputs(manifest, tensors, row))) {
      for (const part of ['value', 'lower', 'upper'] as const) {
        const actual = given[part]
        if (actual === undefined) continue
        const pointer = `golden.json#/cases/${row}/outputs/${name}/${part}`
        const wanted = expected.outputs[name]?.[part]
        const difference = wanted === undefined ? 0 : Math.abs(actual - wanted)
        if (!isProbability(actual)) {
          faults.push({ pointer, message: `the graph returns ${String(actual)}, which is no probability` })
        } else if (difference > golden.tolerance) {
          faults.push({ pointer, message: `differs by ${difference.toExponential(1)}, more than ${golden.tolerance}` })
        }
      }
    }
  })
  return faults
}

const isProbability = (value: number): boolean => value >= 0 && value <= 1

/** Whether a value is a probability, but for its rounding error. */
export const isNearProbability = (value: number): boolean => isProbability(withinBounds(value, 0, 1))
