import { join } from 'node:path'
import { LOGGER, MemoryGuardError, type InputFault, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { encodeRows } from '../features/encode-rows.js'
import { categoryOf, referenceOf, type Golden, type ModelFolder, type RiskManifest } from '../manifest/index.js'
import { COMPUTE_POOL, type ComputePool, type OutputTensors } from '../runtime/compute-pool.js'
import { ForecastRegistry } from './forecast-registry.js'

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

export type ModelState = 'loading' | 'ready' | 'broken'

export interface RegisteredModel {
  readonly reference: string
  readonly state: ModelState
  /** Why it is broken. */
  readonly reason: string | null
}

type RiskFolder = ModelFolder & { readonly manifest: RiskManifest; readonly golden: Golden }

/** Hard limit of the self-test, in milliseconds. */
const selfTestTimeoutMs = 60_000

/**
 * The models that this process may serve. A model is loaded into the compute pool, must reproduce its golden file
 * there, and only then is ready; one that fails stays broken with its reason and the others serve on.
 */
@Injectable()
export class ModelRegistry {
  /** The models that forecast; `loadAll`, `models` and `readyReferences` are about them too. */
  readonly forecasts: ForecastRegistry
  private readonly ready = new Map<string, RiskFolder>()
  private readonly states = new Map<string, { state: ModelState; reason: string | null }>()

  constructor(
    @Inject(COMPUTE_POOL) private readonly pool: ComputePool,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.forecasts = new ForecastRegistry(log)
  }

  get models(): readonly RegisteredModel[] {
    return [...[...this.states].map(([reference, state]) => ({ reference, ...state })), ...this.forecasts.models]
  }

  get readyReferences(): readonly string[] {
    return [...this.ready.keys(), ...this.forecasts.readyReferences]
  }

  /** Loads and self-tests every model of a list, several at once. */
  async loadAll(folders: readonly ModelFolder[]): Promise<void> {
    await Promise.all([
      this.forecasts.loadAll(folders),
      ...folders.filter(isRiskFolder).map(async (folder) => {
        const reference = referenceOf(folder.manifest)
        try {
          await this.load(folder)
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error)
          this.states.set(reference, { state: 'broken', reason })
          this.log.error({ model: reference, err: error }, 'a model is not ready')
        }
      }),
    ])
  }

  /**
   * Computes the risk of people with one model, in one run for each `max_batch` of them. The answer has one entry for
   * each person: a risk, or the error that this person alone gets.
   * @throws MemoryGuardError MODEL_NOT_READY, or what the pool throws for the whole run.
   */
  async predict(
    reference: string,
    people: readonly Readonly<Record<string, number>>[],
    timeoutMs: number,
    killSignal?: AbortSignal,
  ): Promise<readonly (Risk | MemoryGuardError)[]> {
    const model = this.ready.get(reference)
    if (!model) {
      const reason = this.states.get(reference)?.reason
      throw new MemoryGuardError(
        'MODEL_NOT_READY',
        `The model ${reference} is not ready on this worker${reason ? `: ${reason}` : ''}.`,
        { retryable: true },
      )
    }
    const { manifest } = model
    const answers: (Risk | MemoryGuardError)[] = []
    for (let start = 0; start < people.length; start += manifest.graph.max_batch) {
      const part = people.slice(start, start + manifest.graph.max_batch)
      const tensors = await this.run(manifest, part, timeoutMs, killSignal)
      part.forEach((_, row) => answers.push(toRisk(manifest, tensors, row)))
    }
    return answers
  }

  private run(
    manifest: RiskManifest,
    people: readonly Readonly<Record<string, number | null>>[],
    timeoutMs: number,
    killSignal?: AbortSignal,
  ): Promise<OutputTensors> {
    const key = referenceOf(manifest)
    const rows = encodeRows(manifest, people)
    return this.pool.run({ key, rows, count: people.length, timeoutMs, ...(killSignal && { killSignal }) })
  }

  private async load(folder: RiskFolder): Promise<void> {
    const { manifest, golden, path } = folder
    const reference = referenceOf(manifest)
    this.states.set(reference, { state: 'loading', reason: null })
    try {
      await this.pool.load({
        key: reference,
        file: join(path, manifest.graph.file),
        input: manifest.graph.input,
        dtype: manifest.graph.dtype,
        width: manifest.inputs.length,
        outputs: tensorNames(manifest),
      })
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new MemoryGuardError('MODEL_INVALID', `${manifest.graph.file} cannot be loaded: ${reason}`, { cause })
    }
    const people = golden.cases.map(({ inputs }) => inputs)
    const faults = goldenFaults(manifest, golden, await this.run(manifest, people, selfTestTimeoutMs))
    if (faults.length > 0) {
      throw new MemoryGuardError(
        'MODEL_INVALID',
        `${reference} does not reproduce its golden file: ${faults.map(({ pointer, message }) => `${pointer} ${message}`).join('; ')}`,
        { faults },
      )
    }
    this.ready.set(reference, folder)
    this.states.set(reference, { state: 'ready', reason: null })
  }
}

const isRiskFolder = (folder: ModelFolder): folder is RiskFolder =>
  folder.manifest.kind === 'risk' && folder.golden !== null

const tensorNames = ({ outputs }: RiskManifest): readonly string[] => [
  ...new Set(outputs.flatMap(({ value, lower, upper }) => [value, lower, upper].flatMap((part) => part?.tensor ?? []))),
]

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

const toRisk = (manifest: RiskManifest, tensors: OutputTensors, row: number): Risk | MemoryGuardError => {
  const outputs = readOutputs(manifest, tensors, row)
  const primary = outputs[manifest.primary_output]
  const numbers = Object.values(outputs).flatMap(({ value, lower, upper }) => [value, lower ?? value, upper ?? value])
  if (!primary || !numbers.every((number) => number >= 0 && number <= 1)) {
    return new MemoryGuardError('MODEL_OUTPUT_INVALID', 'The model answered something that is no probability.')
  }
  const category = categoryOf(manifest, primary.value)
  return { score: primary.value, category, primary, outputs, level: manifest.interval?.level ?? null }
}

/** Where a run differs from the golden file by more than its tolerance. */
const goldenFaults = (manifest: RiskManifest, golden: Golden, tensors: OutputTensors): readonly InputFault[] => {
  const faults: InputFault[] = []
  golden.cases.forEach((expected, row) => {
    const actual = readOutputs(manifest, tensors, row)
    for (const [name, numbers] of Object.entries(expected.outputs)) {
      for (const part of ['value', 'lower', 'upper'] as const) {
        const wanted = numbers[part]
        if (wanted === undefined) continue
        const difference = Math.abs((actual[name]?.[part] ?? NaN) - wanted)
        if (!(difference <= golden.tolerance)) {
          const message = `differs by ${difference.toExponential(1)}, more than ${golden.tolerance}`
          faults.push({ pointer: `golden.json#/cases/${row}/outputs/${name}/${part}`, message })
        }
      }
    }
  })
  return faults
}
