import { MemoryGuardError, type InputFault } from '#libs/platform'
import type { ForecastManifest } from '../manifest/manifest.schema.js'
import { parseJson, referenceOf, type ModelFolder } from '../manifest/model-folder.js'
import { findGoldenDifferences, forecastGoldenSchema } from './forecast-golden.js'
import { forecastParametersSchema } from './forecast-parameters.schema.js'
import { createForecaster, type Forecaster } from './forecaster.js'

/** A forecaster that reproduces its golden file. */
export interface LoadedForecaster {
  /** `name@version` */
  readonly reference: string
  readonly manifest: ForecastManifest
  readonly forecaster: Forecaster
}

/** Faults named in the message; `faults` holds them all. */
const namedFaults = 10

/**
 * Reads a forecast model and checks it against its golden file.
 * @throws {MemoryGuardError} MODEL_INVALID with every fault found, by file and place.
 */
export const loadForecaster = async ({ path, manifest }: ModelFolder): Promise<LoadedForecaster> => {
  const reference = referenceOf(manifest)
  const faults: InputFault[] = []
  if (manifest.kind !== 'forecast') {
    throw invalid(reference, [{ pointer: 'manifest.json#/kind', message: 'must be forecast' }])
  }
  const parameters = await parseJson(path, manifest.parameters, forecastParametersSchema, faults)
  const golden = await parseJson(path, 'golden.json', forecastGoldenSchema, faults)
  if (!manifest.inputs.some(({ name }) => name === manifest.metric)) {
    faults.push({ pointer: 'manifest.json#/metric', message: 'is none of the inputs' })
  }
  if (!parameters || !golden || faults.length > 0) throw invalid(reference, faults)
  const forecaster = createForecaster(parameters)
  for (const difference of findGoldenDifferences(forecaster, golden)) {
    faults.push({ pointer: 'golden.json', message: difference })
  }
  if (faults.length > 0) throw invalid(reference, faults)
  return { reference, manifest, forecaster }
}

const invalid = (reference: string, faults: readonly InputFault[]): MemoryGuardError => {
  const lines = faults.slice(0, namedFaults).map(({ pointer, message }) => `  ${pointer}: ${message}`)
  if (faults.length > namedFaults) lines.push(`  and ${faults.length - namedFaults} more`)
  const text = `The forecast model ${reference} is not valid:\n${lines.join('\n')}`
  return new MemoryGuardError('MODEL_INVALID', text, { faults })
}
