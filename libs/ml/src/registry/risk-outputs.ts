import { MemoryGuardError, type InputFault } from '#libs/platform'
import { categoryOf, type Golden, type RiskManifest } from '../manifest/index.js'
import type { OutputTensors } from '../runtime/compute-pool.js'

/** Value of one output of a model, with its interval where the model gives one. */
export interface RiskOutput {
  readonly value: number
  readonly lower?: number
  readonly upper?: number
}

/** What a model says of one person. */
export interface Risk {
  /** Value of the primary output. */
  readonly score: number
  readonly category: string
  readonly primary: RiskOutput
  readonly outputs: Readonly<Record<string, RiskOutput>>
  /** Level of the intervals, e.g. 0.9; null where the model gives none. */
  readonly level: number | null
}

const readColumn = (
  tensors: OutputTensors,
  { tensor, column }: { tensor: string; column: number },
  row: number,
): number => {
  const { data, columns } = tensors[tensor] ?? { data: new Float64Array(0), columns: 0 }
  return column < columns ? (data[row * columns + column] ?? NaN) : NaN
}

const readOutputs = (manifest: RiskManifest, tensors: OutputTensors, row: number): Record<string, RiskOutput> =>
  Object.fromEntries(
    manifest.outputs.map(({ name, value, lower, upper }) => [
      name,
      {
        value: readColumn(tensors, value, row),
        ...(lower && { lower: readColumn(tensors, lower, row) }),
        ...(upper && { upper: readColumn(tensors, upper, row) }),
      },
    ]),
  )

/** One row of a run, or the error that this person alone gets. */
export const toRisk = (manifest: RiskManifest, tensors: OutputTensors, row: number): Risk | MemoryGuardError => {
  const outputs = readOutputs(manifest, tensors, row)
  const primary = outputs[manifest.primary_output]
  const numbers = Object.values(outputs).flatMap(({ value, lower, upper }) => [value, lower ?? value, upper ?? value])
  if (!primary || !numbers.every(isProbability)) {
    return new MemoryGuardError('MODEL_OUTPUT_INVALID', 'The model answered something that is no probability.')
  }
  const category = categoryOf(manifest, primary.value)
  return { score: primary.value, category, primary, outputs, level: manifest.interval?.level ?? null }
}

/** Where a run of the golden cases answers no probability, or differs from the file by more than its tolerance. */
export const goldenFaults = (manifest: RiskManifest, golden: Golden, tensors: OutputTensors): readonly InputFault[] => {
  const faults: InputFault[] = []
  golden.cases.forEach((expected, row) => {
    for (const [name, answer] of Object.entries(readOutputs(manifest, tensors, row))) {
      for (const part of ['value', 'lower', 'upper'] as const) {
        const actual = answer[part]
        if (actual === undefined) continue
        const pointer = `golden.json#/cases/${row}/outputs/${name}/${part}`
        const wanted = expected.outputs[name]?.[part]
        const difference = wanted === undefined ? 0 : Math.abs(actual - wanted)
        if (!isProbability(actual)) {
          faults.push({ pointer, message: `the graph answers ${String(actual)}, which is no probability` })
        } else if (difference > golden.tolerance) {
          faults.push({ pointer, message: `differs by ${difference.toExponential(1)}, more than ${golden.tolerance}` })
        }
      }
    }
  })
  return faults
}

const isProbability = (value: number): boolean => value >= 0 && value <= 1
