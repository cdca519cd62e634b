import { LOGGER, MemoryGuardError, PeriodicLoop, type InputFault, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { encodeRows } from '../features/encode-rows.js'
import { findOutput, FolderScanner, referenceOf, type ModelFolder } from '../manifest/index.js'
import { COMPUTE_POOL, type ComputePool } from '../runtime/compute-pool.js'
import { ForecastRegistry } from './forecast-registry.js'
import type { ModelState, RegisteredModel } from './registered-model.js'
import { graphSpecOf, isRiskFolder, type RiskFolder } from './graph-spec.js'
import { toRiskExplanation, type RiskExplanation } from './risk-explanation.js'
import { toRisk, type Risk } from './risk-outputs.js'
import { selfTest } from './self-test.js'

/** How often the folder is looked at for new models, in milliseconds. */
const scanIntervalMs = 2_000

/**
 * The models that this process may serve. A model is validated, tried out against its golden file apart from what
 * serves, loaded and warmed wherever the pool computes, and only then ready; one that fails stays broken with its
 * reason and the others serve on. Folders that appear while it runs are taken up in a few seconds.
 */
@Injectable()
export class ModelRegistry {
  /** The models that forecast; `loadAll`, `models` and `readyReferences` are about them too. */
  readonly forecasts: ForecastRegistry
  private readonly ready = new Map<string, RiskFolder>()
  private readonly states = new Map<string, { state: ModelState; reason: string | null }>()
  /** Called when a model has become ready or broken. */
  onChange: () => void = () => undefined
  private scanner: FolderScanner | undefined
  private scanning: Promise<void> = Promise.resolve()
  private readonly loop: PeriodicLoop

  constructor(
    @Inject(COMPUTE_POOL) private readonly pool: ComputePool,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.forecasts = new ForecastRegistry(log)
    this.loop = new PeriodicLoop({ name: 'models', intervalMs: scanIntervalMs, run: () => this.scan() }, log)
  }

  get models(): readonly RegisteredModel[] {
    return [...[...this.states].map(([reference, state]) => ({ reference, ...state })), ...this.forecasts.models]
  }

  get readyReferences(): readonly string[] {
    return [...this.ready.keys(), ...this.forecasts.readyReferences]
  }

  /** Loads the models below a folder and looks for new ones from then on. Resolves when the first look is done. */
  async watch(root: string): Promise<void> {
    this.scanner = new FolderScanner(root)
    await this.scan()
    this.loop.start()
  }

  stop(): Promise<void> {
    return this.loop.stop()
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
          this.breakDown(reference, error)
          this.scanner?.reject(folder)
        }
      }),
    ])
  }

  /**
   * Computes the risk of people with one model, in one run for each `max_batch` of them. The answer has one entry for
   * each person: a risk, or the error that this person alone gets. Bulk work lets what someone waits for go first.
   * @throws MemoryGuardError MODEL_NOT_READY, or what the pool throws for the whole run.
   */
  async predict(
    reference: string,
    people: readonly Readonly<Record<string, number>>[],
    timeoutMs: number,
    { isBulk = false, killSignal }: { readonly isBulk?: boolean; readonly killSignal?: AbortSignal } = {},
  ): Promise<readonly (Risk | MemoryGuardError)[]> {
    const { manifest } = this.ready.get(reference) ?? (await this.waitFor(reference))
    const answers: (Risk | MemoryGuardError)[] = []
    for (let start = 0; start < people.length; start += manifest.graph.max_batch) {
      const part = people.slice(start, start + manifest.graph.max_batch)
      const rows = encodeRows(manifest, part)
      const request = { key: reference, rows, count: part.length, timeoutMs, isBulk, killSignal }
      const tensors = await this.pool.run(request)
      part.forEach((_, row) => answers.push(toRisk(manifest, tensors, row)))
    }
    return answers
  }

  /**
   * Explains one output of a model for some people; without a name, its primary one. Answers in the order given.
   * @throws MemoryGuardError MODEL_NOT_READY, REQUEST_INVALID for an output that the model does not have, MODEL_INVALID
   * if it cannot be explained as its manifest asks, or what the pool throws.
   */
  async explain(
    reference: string,
    outputName: string | undefined,
    people: readonly Readonly<Record<string, number>>[],
    timeoutMs: number,
    killSignal?: AbortSignal,
    onProgress?: (done: number, total: number) => void,
  ): Promise<readonly RiskExplanation[]> {
    const { manifest } = this.ready.get(reference) ?? (await this.waitFor(reference))
    const output = findOutput(manifest, outputName)
    const rows = encodeRows(manifest, people)
    const count = people.length
    const request = { key: reference, output: output.value, rows, count, timeoutMs, killSignal, onProgress }
    const explained = await this.pool.explain(request)
    return people.map((person, row) => toRiskExplanation(manifest, output, person, explained, row))
  }

  /** A model that another process has seen already may be found or loading here: it is waited for. */
  private async waitFor(reference: string): Promise<RiskFolder> {
    const state = this.states.get(reference)
    if (state?.state !== 'broken') await this.scan()
    const model = this.ready.get(reference)
    if (model) return model
    const reason = this.states.get(reference)?.reason
    throw new MemoryGuardError(
      'MODEL_NOT_READY',
      `The model ${reference} is not ready on this worker${reason ? `: ${reason}` : ''}.`,
      { retryable: true },
    )
  }

  /** One look at the folder at a time; those who ask meanwhile share the next. */
  private scan(): Promise<void> {
    this.scanning = this.scanning.then(() => this.look())
    return this.scanning
  }

  private async look(): Promise<void> {
    try {
      const { models, broken } = (await this.scanner?.scan()) ?? { models: [], broken: [] }
      for (const { reference, error } of broken) this.breakDown(reference, error)
      await this.loadAll(models)
    } catch (error) {
      this.log.error({ err: error }, 'models folder unreadable')
    }
  }

  private async load(folder: RiskFolder): Promise<void> {
    const reference = referenceOf(folder.manifest)
    this.states.set(reference, { state: 'loading', reason: null })
    const faults = await selfTest(folder, this.pool)
    if (faults.length > 0) throw new MemoryGuardError('MODEL_INVALID', listOf(faults), { faults })
    await this.pool.load(graphSpecOf(folder))
    this.ready.set(reference, folder)
    this.states.set(reference, { state: 'ready', reason: null })
    this.onChange()
    this.log.info({ model: reference }, 'model ready')
  }

  private breakDown(reference: string, error: unknown): void {
    const reason = error instanceof MemoryGuardError ? reasonOf(error) : 'it could not be loaded; see the worker log'
    this.states.set(reference, { state: 'broken', reason })
    this.onChange()
    this.log.error({ model: reference, err: error }, 'model not ready')
  }
}

/** Faults without the path of the folder, which is the operator's own business. */
const reasonOf = ({ faults, message }: MemoryGuardError): string => (faults.length > 0 ? listOf(faults) : message)

const listOf = (faults: readonly InputFault[]): string =>
  faults.map(({ pointer, message }) => `${pointer}: ${message}`).join('; ')
