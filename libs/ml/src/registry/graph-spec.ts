import { join } from 'node:path'
import { encodeRows } from '../features/encode-rows.js'
import { referenceOf, type Golden, type ModelFolder, type RiskManifest } from '../manifest/index.js'
import type { GraphSpec } from '../runtime/compute-pool.js'

/** The folder of a model that computes risks. */
export type RiskFolder = ModelFolder & { readonly manifest: RiskManifest; readonly golden: Golden }

export const isRiskFolder = (folder: ModelFolder): folder is RiskFolder =>
  folder.manifest.kind === 'risk' && folder.golden !== null

/** How a pool loads the graph of a model, warms it with the golden cases and explains it. */
export const graphSpecOf = ({ manifest, golden, background, path }: RiskFolder): GraphSpec => {
  const { graph, explanation, inputs } = manifest
  const cases = golden.cases.map((each) => each.inputs)
  return {
    key: referenceOf(manifest),
    file: join(path, graph.file),
    input: graph.input,
    dtype: graph.dtype,
    width: inputs.length,
    outputs: tensorNames(manifest),
    maxBatch: graph.max_batch,
    warmUp: { rows: encodeRows(manifest, cases), count: cases.length },
    explanation: {
      method: explanation.method,
      space: explanation.space,
      ...(background && {
        background: encodeRows(
          manifest,
          background.rows.map((row) => named(manifest, row)),
        ),
      }),
    },
  }
}

/** A row of reference values by the names of the inputs. */
const named = ({ inputs }: RiskManifest, row: readonly (number | null)[]): Record<string, number | null> =>
  Object.fromEntries(inputs.map(({ name }, column) => [name, row[column] ?? null]))

const tensorNames = ({ outputs }: RiskManifest): readonly string[] => [
  ...new Set(outputs.flatMap(({ value, lower, upper }) => [value, lower, upper].flatMap((part) => part?.tensor ?? []))),
]
