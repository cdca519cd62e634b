import { MemoryGuardError, type Logger } from '#libs/platform'
import { loadForecaster, type LoadedForecaster } from '../forecast/load-forecaster.js'
import { isForecast, newestFirst, referenceOf, type ModelFolder } from '../manifest/index.js'
import type { RegisteredModel } from './registered-model.js'

/**
 * The forecast models of this process. They are arithmetic on a few numbers, so they run where they are called; each
 * must reproduce its golden file before it may serve, and one that does not stays broken with its reason.
 */
export class ForecastRegistry {
  private readonly ready: LoadedForecaster[] = []
  private readonly broken = new Map<string, string>()

  constructor(private readonly log: Logger) {}

  get models(): readonly RegisteredModel[] {
    return [
      ...this.readyReferences.map((reference) => ({ reference, state: 'ready' as const, reason: null })),
      ...[...this.broken].map(([reference, reason]) => ({ reference, state: 'broken' as const, reason })),
    ]
  }

  get readyReferences(): readonly string[] {
    return this.ready.map(({ reference }) => reference)
  }

  /** Loads and self-tests every forecast model of a list. */
  async loadAll(folders: readonly ModelFolder[]): Promise<void> {
    for (const folder of folders.filter(isForecast)) {
      try {
        this.ready.push(await loadForecaster(folder))
        this.broken.delete(referenceOf(folder.manifest))
      } catch (error) {
        const reference = referenceOf(folder.manifest)
        this.broken.set(reference, error instanceof Error ? error.message : String(error))
        this.log.error({ model: reference, err: error }, 'model not ready')
      }
    }
    this.ready.sort((a, b) => newestFirst(a.manifest, b.manifest))
  }

  /**
   * The model that serves: of those that are ready the newest that is `active`, by version of each name. A name of which
   * no version was chosen, or whose chosen one is not ready here, is served by its newest.
   * @throws {MemoryGuardError} MODEL_NOT_READY if there is none, with what is wrong of those there are.
   */
  getActive(active: ReadonlyMap<string, string>): LoadedForecaster {
    const isReady = (name: string, version: string | undefined) => this.readyReferences.includes(`${name}@${version}`)
    const model = this.ready.find(
      ({ manifest: { name, version } }) => active.get(name) === version || !isReady(name, active.get(name)),
    )
    if (model) return model
    const reasons = [...this.broken.values()].join(' ') || 'MODELS_DIR has none that can be read; see its log.'
    throw new MemoryGuardError('MODEL_NOT_READY', `No forecast model is ready on this worker: ${reasons}`, {
      retryable: true,
    })
  }
}
