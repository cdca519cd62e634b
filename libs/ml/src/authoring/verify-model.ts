import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MemoryGuardError, type InputFault } from '#libs/platform'
import { encodeRows } from '../features/encode-rows.js'
import { loadForecaster } from '../forecast/load-forecaster.js'
import {
  inspectModelFolder,
  referenceOf,
  type InspectedFolder,
  type Manifest,
  type RiskManifest,
} from '../manifest/index.js'
import { readOnnxModel } from '../onnx/index.js'
import type { ComputePool } from '../runtime/compute-pool.js'
import { graphSpecOf, type RiskFolder } from '../registry/graph-spec.js'
import { selfTest } from '../registry/self-test.js'

/** What was found in a model folder. */
export interface VerifiedModel {
  readonly path: string
  /** `name@version`; null if the manifest cannot be read. */
  readonly reference: string | null
  /** Every fault at once, by file and pointer; empty if the model may serve. */
  readonly faults: readonly InputFault[]
  /** How its outputs would be explained; empty if it has faults or forecasts. */
  readonly explanations: readonly { readonly output: string; readonly method: string; readonly space: string }[]
}

/**
 * Finds every fault of a model folder: manifest, digests, golden file, graph, outputs and explanations. What cannot be
 * checked because of another fault is left out.
 */
export const verifyModelFolder = async (path: string, pool: ComputePool): Promise<VerifiedModel> => {
  const inspected = await inspectModelFolder(path)
  const { manifest } = inspected
  if (!manifest) {
    const faults = [...inspected.faults, ...(await unreadableGraphs(path))]
    return { path, reference: null, faults, explanations: [] }
  }
  const reference = referenceOf(manifest)
  if (manifest.kind === 'forecast') {
    const faults = [...inspected.faults, ...(await forecastFaults(path, manifest))]
    return { path, reference, faults, explanations: [] }
  }
  const folder = testable(inspected, manifest)
  const tested = folder ? await selfTest(folder, pool) : []
  const faults = [...inspected.faults, ...tested]
  if (!folder || faults.length > 0) return { path, reference, faults, explanations: [] }
  return { path, reference, ...(await explain(folder, pool)) }
}

const forecastFaults = async (path: string, manifest: Manifest): Promise<readonly InputFault[]> => {
  try {
    await loadForecaster({ path, manifest, golden: null, background: null })
    return []
  } catch (error) {
    if (error instanceof MemoryGuardError) return error.faults
    throw error
  }
}

/** The folder as far as its graph can be run: without a readable golden file, it is loaded and compared with nothing. */
const testable = (inspected: InspectedFolder, manifest: RiskManifest): RiskFolder | null => {
  const { path, golden, background, faults } = inspected
  if (faults.some(({ pointer, message }) => pointer === manifest.graph.file && /missing|read/.test(message))) {
    return null
  }
  return { path, manifest, golden: golden ?? { tolerance: 1, cases: [] }, background }
}

/** Without a manifest, what can be said of the ONNX files that lie there. */
const unreadableGraphs = async (path: string): Promise<readonly InputFault[]> => {
  const faults: InputFault[] = []
  for (const file of await readdir(path).catch(() => [])) {
    if (!file.endsWith('.onnx')) continue
    try {
      readOnnxModel(await readFile(join(path, file)))
    } catch (error) {
      if (!(error instanceof MemoryGuardError)) throw error
      faults.push({ pointer: file, message: error.message })
    }
  }
  return faults
}

/** Contributions may miss the output by this much of it. */
const additivity = 1e-6

const explain = async (
  folder: RiskFolder,
  pool: ComputePool,
): Promise<Pick<VerifiedModel, 'faults' | 'explanations'>> => {
  const { manifest, golden } = folder
  const spec = graphSpecOf(folder)
  const faults: InputFault[] = []
  const explanations: { output: string; method: string; space: string }[] = []
  await pool.load(spec)
  const rows = encodeRows(
    manifest,
    golden.cases.slice(0, 1).map(({ inputs }) => inputs),
  )
  for (const { name, value } of manifest.outputs) {
    try {
      const explained = await pool.explain({ key: spec.key, output: value, rows, count: 1, timeoutMs: 60_000 })
      const output = explained.output[0] ?? NaN
      const sum = explained.contributions.reduce((total, part) => total + part, explained.baseValue)
      if (!(Math.abs(sum - output) <= additivity * (1 + Math.abs(output)))) {
        faults.push({ pointer: 'manifest.json#/explanation', message: `contributions to ${name} do not add up to it` })
      }
      explanations.push({ output: name, method: explained.method, space: explained.space })
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      faults.push({ pointer: 'manifest.json#/explanation', message: `${name} cannot be explained: ${message}` })
    }
  }
  return { faults, explanations }
}
