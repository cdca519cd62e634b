import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createFolders, MemoryGuardError } from '#libs/platform'
import { digestOf, knownMetrics, modelFolderPath } from '../manifest/index.js'
import { readOnnxModel, type OnnxModel, type OnnxValue } from '../onnx/index.js'
import type { ComputePool, OutputTensor } from '../runtime/compute-pool.js'
import { isNearProbability } from '../registry/risk-outputs.js'
import { changingAnswers, tryTwice } from '../registry/repeated-trial.js'
import { trialFailure } from '../registry/self-test.js'
import { withoutZipMap } from './graph-faults.js'
import { parseSampleRows, type SampleRows } from './sample-rows.js'

/** From which a model folder is made. */
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
/** Float32 answers of two libraries agree by more than this. */
const tolerance = 1e-5

const disclaimer =
  "Decision support, not diagnosis: a clinician must interpret this estimate together with the person's history."

/**
 * Writes the folder of a model from its graph and some rows: manifest, golden file, reference people, card and digests.
 * What the graph and the rows do not say (units, ranges, categories, limits) is filled in for the owner to correct.
 * @returns the folder
 * @throws MemoryGuardError MODEL_INVALID if the name, the graph or the rows cannot be used, or the version exists.
 */
export const initModel = async (
  { name, version, graph, rows, output, root }: NewModel,
  pool: ComputePool,
): Promise<string> => {
  const path = await modelFolderPath(root, name, version)
  const model = readOnnxModel(await readFile(graph))
  const sample = parseSampleRows(await readFile(rows, 'utf8'))
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
  }).catch(throwInvalid)
  const answer = tensors[tensor] ?? { data: new Float64Array(0), columns: 0 }
  const column = columnOf(answer, wantedColumn)
  mustBeProbabilities(answer, column, chosen)
  if (changedRow !== undefined) invalid(`The graph answers ${changingAnswers}.`)

  createFolders(resolve(root, name))
  await mkdir(path).catch((cause: unknown) => {
    throw new MemoryGuardError('MODEL_INVALID', `${path} exists already: a version never changes, choose another.`, {
      cause,
    })
  })
  await copyFile(graph, join(path, 'model.onnx'))
  await writeJson(path, 'golden.json', {
    tolerance,
    cases: chosen.map((index, row) => ({
      inputs: named(sample, index),
      outputs: { risk: { value: sample.expected?.[index] ?? answer.data[row * answer.columns + column] } },
    })),
  })
  await writeJson(path, 'background.json', { rows: spread(sample.rows, backgroundRows).map((row) => sample.rows[row]) })
  await writeFile(join(path, 'card.md'), cardOf(name, version))
  await writeJson(path, 'manifest.json', {
    manifest_version: 1,
    kind: 'risk',
    name,
    version,
    title: titleOf(name.replaceAll('-', '_')),
    summary: `Probability answered by ${name}.`,
    disclaimer,
    inputs: sample.features.map((feature, at) => inputManifest(feature, valuesOf(sample, at))),
    graph: { file: 'model.onnx', input: input.name, dtype: input.type, max_batch: maxBatch },
    missing: missingOf(sample),
    outputs: [{ name: 'risk', title: 'Probability', value: { tensor, column } }],
    primary_output: 'risk',
    categories: [{ name: 'low', below: 0.3 }, { name: 'moderate', below: 0.6 }, { name: 'high' }],
    explanation: { method: 'auto', space: 'log_odds', background: 'background.json' },
    files: Object.fromEntries(
      await Promise.all(
        ['model.onnx', 'golden.json', 'background.json', 'card.md'].map(
          async (file) => [file, await digestOf(join(path, file))] as const,
        ),
      ),
    ),
  })
  return path
}

const invalid = (message: string): never => {
  throw new MemoryGuardError('MODEL_INVALID', message)
}

const throwInvalid = (cause: unknown): never => {
  throw new MemoryGuardError('MODEL_INVALID', `The graph cannot be run: ${trialFailure(cause)}`, { cause })
}

/** A model that answers anything else for a row of its own would be refused by every worker. */
const mustBeProbabilities = ({ data, columns }: OutputTensor, column: number, chosen: readonly number[]): void => {
  chosen.forEach((line, row) => {
    const value = column < columns ? (data[row * columns + column] ?? NaN) : NaN
    if (isNearProbability(value)) return
    invalid(
      `The graph answers ${String(value)} for row ${line + 1}, which is no probability: name another output with ` +
        '--output, or correct the graph or the row.',
    )
  })
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

const columnOf = ({ columns }: OutputTensor, wanted: string | undefined): number => {
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

const hasMissing = ({ rows }: SampleRows): boolean => rows.some((row) => row.includes(null))

/** Rows with gaps show a model that understands them; otherwise a gap becomes the median. */
const missingOf = (sample: SampleRows) =>
  hasMissing(sample)
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

## What it answers

## Data and people

## Quality, with intervals and by sex and age

## Limits
`
