import { LOGGER, MemoryGuardError, PeriodicLoop, type InputFault, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { FolderScanner, referenceOf, type ModelFolder } from '../manifest/index.js'
import { COMPUTE_POOL, type ComputePool } from '../runtime/compute-pool.js'
import { ForecastRegistry } from './forecast-registry.js'
import type { ModelState, RegisteredModel } from './registered-model.js'
import { graphSpecOf, isRiskFolder, type RiskFolder } from './graph-spec.js'
import { selfTest } from './self-test.js'

/** How often the folder is scanned for new models, in milliseconds. */
const scanIntervalMs = 2_000

/**
 * Which models this process may serve, kept up to date with the folder of models. A model is validated, compared with
 * its golden file apart from what serves, loaded and warmed wherever the pool computes, and only then ready; one that
 * fails stays broken with its reason, and the others go on serving.
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

  /** Why this process cannot compute; `needsRisks`: models that forecast are not enough. */
  findFault(needsRisks: boolean): string | undefined {
    if (needsRisks) return this.ready.size > 0 ? undefined : 'none that computes risks is ready'
    return this.readyReferences.length > 0 ? undefined : 'none is ready'
  }

  /** Loads the models below a folder and scans it for new ones from then on. Resolves after the first scan. */
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
      ...folders.filter(isRiskFolder).map((folder) =>
        this.load(folder).catch((error: unknown) => {
          this.fail(referenceOf(folder.manifest), error)
          this.scanner?.reject(folder)
        }),
      ),
    ])
  }

  /**
   * A model that computes risks. One that another process has seen already may be found or loading here: it is waited
   * for.
   * @throws {MemoryGuardError} MODEL_NOT_READY with the reason, if it is known.
   */
  async getRiskModel(reference: string): Promise<RiskFolder> {
    if (!this.ready.has(reference) && this.states.get(reference)?.state !== 'broken') await this.scan()
    const model = this.ready.get(reference)
    if (model) return model
    const reason = this.states.get(reference)?.reason
    throw new MemoryGuardError(
      'MODEL_NOT_READY',
      `The model ${reference} is not ready on this worker${reason ? `: ${reason}` : ''}.`,
      { retryable: true },
    )
  }

  /** One scan at a time; those who ask meanwhile share the next. */
  private scan(): Promise<void> {
    this.scanning = this.scanning.then(() => this.scanOnce())
    return this.scanning
  }

  private async scanOnce(): Promise<void> {
    try {
      const { models, broken } = (await this.scanner?.scan()) ?? { models: [], broken: [] }
      for (const { reference, error } of broken) this.fail(reference, error)
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

  private fail(reference: string, error: unknown): void {
    const reason = error instanceof MemoryGuardError ? reasonOf(error) : 'it could not be loaded; see the worker log'
    this.states.set(reference, { state: 'broken', reason })
    this.onChange()
    this.log.error({ model: reference, err: error }, 'model not ready')
  }
}

/** Faults without the path of the folder, which only the operator should see. */
const reasonOf = ({ faults, message }: MemoryGuardError): string => (faults.length > 0 ? listOf(faults) : message)

const listOf = (faults: readonly InputFault[]): string =>
  faults.map(({ pointer, message }) => `${pointer}: ${message}`).join('; ')
