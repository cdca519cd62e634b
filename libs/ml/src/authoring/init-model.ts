import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createFolders, MemoryGuardError } from '#libs/platform'
import { digestOf, knownMetrics, modelFolderPath } from '../manifest/index.js'
import { readOnnxModel, type OnnxModel, type OnnxValue } from '../onnx/index.js'
import type { ComputePool } from '../runtime/compute-pool.js'
import { isNearProbability } from '../registry/risk-outputs.js'
import { changingOutputs, tryTwice } from '../registry/repeated-trial.js'
import { trialFailure } from '../registry/self-test.js'
import { withoutZipMap } from './graph-faults.js'
import { parseSampleRows, type SampleRows } from './sample-rows.js'

/** What a model folder is made from. */
export interface NewModel {
  readonly name: string
  readonly version: string
  /** The ONNX file. */
  readonly graph: string
  /** CSV file of rows: header of the inputs in the graph's order, optionally `expected`. */
  readonly rows: string
  /** Tensor of the probability and its column, e.g. `probabilities:1`. Default: the graph's probability of class 1. */
  readonly output?: string | undefined
  /** Folder of all models, in which `<name>/<version>/` is made. */
  readonly root: string
}

/** Most rows kept in the golden file, and as reference people of explanations. */
const goldenCases = 1_000
const backgroundRows = 100
/** Most rows of one run of a new model. */
const maxBatch = 4096
/** Float32 outputs of two libraries agree by more than this. */
const tolerance = 1e-5

const disclaimer =
  "Decision support, not diagnosis: a clinician must interpret this estimate together with the person's history."

/** What the graph returns for some of the rows, and where its probability is found. */
interface TriedGraph {
  readonly input: OnnxValue
  readonly tensor: string
  readonly column: number
  /** Numbers of the rows that were tried. */
  readonly chosen: readonly number[]
  /** Its probability for each of them. */
  readonly probabilities: readonly number[]
}

/**
 * Writes the folder of a model from its graph and some rows: manifest, golden file, reference people, card and digests.
 * What the graph and the rows do not say (units, ranges, categories, limits) is filled in for the owner to correct.
 * @returns the folder
 * @throws {MemoryGuardError} MODEL_INVALID if the name, the graph or the rows cannot be used, or the version exists.
 */
export const initModel = async (model: NewModel, pool: ComputePool): Promise<string> => {
  const { name, version, root } = model
  const path = await modelFolderPath(root, name, version)
  const sample = parseSampleRows(await readFile(model.rows, 'utf8'))
  const tried = await tryGraph(model, sample, pool)
  createFolders(resolve(root, name))
  await mkdir(path).catch((cause: unknown) => {
    throw new MemoryGuardError('MODEL_INVALID', `${path} exists already: a version never changes, choose another.`, {
      cause,
    })
  })
  await copyFile(model.graph, join(path, 'model.onnx'))
  await writeJson(path, 'golden.json', {
    tolerance,
    cases: tried.chosen.map((row, at) => ({
      inputs: named(sample, row),
      outputs: { risk: { value: sample.expected?.[row] ?? tried.probabilities[at] } },
    })),
  })
  await writeJson(path, 'background.json', { rows: spread(sample.rows, backgroundRows).map((row) => sample.rows[row]) })
  await writeFile(join(path, 'card.md'), cardOf(name, version))
  const files = await Promise.all(
    ['model.onnx', 'golden.json', 'background.json', 'card.md'].map(
      async (file) => [file, await digestOf(join(path, file))] as const,
    ),
  )
  await writeJson(path, 'manifest.json', { ...manifestOf(model, sample, tried), files: Object.fromEntries(files) })
  return path
}

/** Runs the graph twice: one that would be rejected by every worker is rejected here. */
const tryGraph = async (
  { name, version, graph, output }: NewModel,
  sample: SampleRows,
  pool: ComputePool,
): Promise<TriedGraph> => {
  const model = readOnnxModel(await readFile(graph))
  const input = inputOf(model, sample.features.length)
  const [tensor = '', wantedColumn] = (output ?? probabilityOf(model).name).split(':')
  const chosen = spread(sample.rows, goldenCases)
  const { tensors, changedRow } = await tryTwice(pool, {
    key: `${name}@${version}`,
    file: graph,
    input: input.name,
    dtype: input.type === 'float64' ? 'float64' : 'float32',
    width: sample.features.length,
    outputs: [tensor],
    maxBatch,
    warmUp: { rows: encode(sample, chosen), count: chosen.length },
  }).catch((cause: unknown): never => {
    throw new MemoryGuardError('MODEL_INVALID', `The graph cannot be run: ${trialFailure(cause)}`, { cause })
  })
  const { data, columns } = tensors[tensor] ?? { data: [], columns: 0 }
  const column = columnOf(columns, wantedColumn)
  const probabilities = chosen.map((row, at) => {
    const value = column < columns ? (data[at * columns + column] ?? NaN) : NaN
    if (isNearProbability(value)) return value
    return invalid(
      `The graph returns ${String(value)} for row ${row + 1}, which is no probability: name another output with ` +
        '--output, or correct the graph or the row.',
    )
  })
  if (changedRow !== undefined) invalid(`The graph returns ${changingOutputs}.`)
  return { input, tensor, column, chosen, probabilities }
}

const manifestOf = ({ name, version }: NewModel, sample: SampleRows, { input, tensor, column }: TriedGraph) => ({
  manifest_version: 1,
  kind: 'risk',
  name,
  version,
  title: titleOf(name.replaceAll('-', '_')),
  summary: `Probability computed by ${name}.`,
  disclaimer,
  inputs: sample.features.map((feature, at) => inputManifest(feature, valuesOf(sample, at))),
  graph: { file: 'model.onnx', input: input.name, dtype: input.type, max_batch: maxBatch },
  missing: missingOf(sample),
  outputs: [{ name: 'risk', title: 'Probability', value: { tensor, column } }],
  primary_output: 'risk',
  categories: [{ name: 'low', below: 0.3 }, { name: 'moderate', below: 0.6 }, { name: 'high' }],
  explanation: { method: 'auto', space: 'log_odds', background: 'background.json' },
})

const invalid = (message: string): never => {
  throw new MemoryGuardError('MODEL_INVALID', message)
}

const inputOf = ({ inputs }: OnnxModel, width: number): OnnxValue => {
  const [input, ...more] = inputs
  if (!input || more.length > 0) return invalid('The graph must have one input, the matrix of all features.')
  const columns = input.dims?.[1]
  if (typeof columns === 'number' && columns !== width) {
    invalid(`The graph takes ${columns} columns, but the rows have ${width} inputs.`)
  }
  return input
}

/** The tensor that looks like the probabilities: by its name, else the last that holds floating-point numbers. */
const probabilityOf = ({ outputs }: OnnxModel): OnnxValue => {
  const numbers = outputs.filter(({ kind, type }) => kind === 'tensor' && (type === 'float32' || type === 'float64'))
  const found = numbers.find(({ name }) => /prob/i.test(name)) ?? numbers.at(-1)
  return found ?? invalid(`The graph has no output of floating-point numbers: ${withoutZipMap}.`)
}

const columnOf = (columns: number, wanted: string | undefined): number => {
  if (wanted !== undefined) return Number(wanted)
  return columns <= 2
    ? columns - 1
    : invalid(`The output has ${columns} columns: name one, e.g. --output probabilities:1`)
}

/** Up to `most` row numbers, evenly from the first to the last. */
const spread = (rows: readonly unknown[], most: number): readonly number[] => {
  const count = Math.min(most, rows.length)
  return Array.from({ length: count }, (_, at) => Math.floor((at * rows.length) / count))
}

const valuesOf = ({ rows }: SampleRows, at: number): readonly number[] =>
  rows.flatMap((row) => row[at] ?? []).sort((a, b) => a - b)

const quantile = (sorted: readonly number[], part: number): number =>
  sorted[Math.round(part * (sorted.length - 1))] ?? 0

/** Rows with gaps show a model that understands them; otherwise a gap becomes the median. */
const missingOf = (sample: SampleRows) =>
  sample.rows.some((row) => row.includes(null))
    ? { rule: 'native' }
    : {
        rule: 'impute',
        values: Object.fromEntries(sample.features.map((name, at) => [name, quantile(valuesOf(sample, at), 0.5)])),
      }

const encode = ({ rows }: SampleRows, chosen: readonly number[]): Float32Array =>
  Float32Array.from(chosen.flatMap((row) => (rows[row] ?? []).map((value) => value ?? NaN)))

const named = ({ features, rows }: SampleRows, row: number): Record<string, number | null> =>
  Object.fromEntries(features.map((name, at) => [name, rows[row]?.[at] ?? null]))

const titleOf = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1).replaceAll('_', ' ')

/** A known metric keeps its unit and range; of another, the range is that of the rows with its width on either side. */
const inputManifest = (name: string, sorted: readonly number[]) => {
  const [low, high] = [sorted[0] ?? 0, sorted.at(-1) ?? 0]
  const width = Math.max(high - low, Math.abs(high), 1)
  const known = Object.hasOwn(knownMetrics, name) ? knownMetrics[name] : undefined
  return {
    name,
    title: titleOf(name),
    unit: known?.unit ?? 'units',
    min: Math.min(known?.min ?? (low >= 0 ? Math.max(0, low - width) : low - width), low),
    max: Math.max(known?.max ?? high + width, high),
    ...(known?.words && { words: known.words }),
    typical: { low: quantile(sorted, 0.01), high: quantile(sorted, 0.99) },
  }
}

const writeJson = (path: string, file: string, value: unknown): Promise<void> =>
  writeFile(join(path, file), `${JSON.stringify(value, null, 2)}\n`)

const cardOf = (name: string, version: string): string => `# ${name}@${version}

${disclaimer}

## What it computes

## Data and people

## Quality, with intervals and by sex and age

## Limits
`
