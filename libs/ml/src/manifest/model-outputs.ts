import { MemoryGuardError } from '#libs/platform'
import type { RiskManifest } from './manifest.schema.js'

/**
 * An output of a model by its name; without one, the primary.
 * @throws {MemoryGuardError} REQUEST_INVALID, naming the outputs there are.
 */
export const findOutput = (
  { outputs, primary_output }: RiskManifest,
  name: string = primary_output,
): RiskManifest['outputs'][number] => {
  const found = outputs.find((output) => output.name === name)
  if (found) return found
  const names = outputs.map((output) => output.name).join(', ')
  throw new MemoryGuardError('REQUEST_INVALID', `The model has no such output. It has: ${names}.`, {
    faults: [{ pointer: '/output', message: `must be one of ${names}` }],
  })
}

/** The interval of the primary output, where the model gives one. */
export const intervalOf = (
  { primary_output, interval }: RiskManifest,
  outputs: Readonly<Record<string, { readonly lower?: number; readonly upper?: number }>>,
): { lower: number; upper: number; level: number } | null => {
  const { lower, upper } = outputs[primary_output] ?? {}
  return interval && lower !== undefined && upper !== undefined ? { lower, upper, level: interval.level } : null
}

/** The category of a value of the primary output. */
export const categoryOf = ({ categories }: RiskManifest, value: number): string => {
  const found = categories.find(({ below }) => below === undefined || value < below)
  if (!found) throw new Error('The categories of a manifest must end with one without a bound')
  return found.name
}
