import { MemoryGuardError } from '#libs/platform'
import type { MetricRange } from './known-metrics.js'
import type { ForecastManifest, Manifest, RiskManifest } from './manifest.schema.js'
import { vocabularyOf } from './metric-vocabulary.js'
import { referenceOf, type ModelFolder } from './model-folder.js'

const byVersion = new Intl.Collator('en', { numeric: true })

/** Order of manifests from the newest version to the oldest. */
export const newestFirst = (a: Manifest, b: Manifest): number => byVersion.compare(b.version, a.version)

/** The models on offer, by name and version, and every metric that any of them or the vocabulary knows. */
export class ModelCatalogue {
  private readonly byReference: ReadonlyMap<string, ModelFolder>
  private readonly metrics: ReadonlyMap<string, MetricRange>

  constructor(
    readonly models: readonly ModelFolder[],
    private readonly defaultReference: string,
  ) {
    this.byReference = new Map(models.map((model) => [referenceOf(model.manifest), model]))
    this.metrics = vocabularyOf(models.flatMap(({ manifest }) => manifest.inputs))
  }

  /** What is known of a metric, whichever models use it. */
  findMetric(name: string): MetricRange | undefined {
    return this.metrics.get(name)
  }

  get metricNames(): readonly string[] {
    return [...this.metrics.keys()]
  }

  /** The model of a full reference, `name@version`. */
  find(reference: string): ModelFolder | undefined {
    return this.byReference.get(reference)
  }

  /**
   * The risk model of a reference: `name@version`, or `name` for its newest version; nothing for the default.
   * @throws MemoryGuardError MODEL_UNKNOWN, naming the models there are.
   */
  getRiskModel(reference: string = this.defaultReference): ModelFolder & { readonly manifest: RiskManifest } {
    const candidates = reference.includes('@')
      ? [this.byReference.get(reference)].filter((model) => model !== undefined)
      : this.models
          .filter(({ manifest }) => manifest.name === reference)
          .sort((a, b) => newestFirst(a.manifest, b.manifest))
    const model = candidates[0]
    if (model && isRisk(model)) return model
    const there = this.models.filter(isRisk).map(({ manifest }) => referenceOf(manifest))
    throw new MemoryGuardError(
      'MODEL_UNKNOWN',
      `There is no such risk model. There are: ${there.join(', ') || 'none'}.`,
      {
        faults: [{ pointer: '/model', message: `must be one of ${there.join(', ')}` }],
      },
    )
  }

  /** The newest forecast model. */
  findForecastModel(): (ModelFolder & { readonly manifest: ForecastManifest }) | undefined {
    return this.models.filter(isForecast).sort((a, b) => newestFirst(a.manifest, b.manifest))[0]
  }
}

/** Whether a model forecasts a dated score. */
export const isForecast = (model: ModelFolder): model is ModelFolder & { readonly manifest: ForecastManifest } =>
  model.manifest.kind === 'forecast'

const isRisk = (model: ModelFolder): model is ModelFolder & { readonly manifest: RiskManifest } =>
  model.manifest.kind === 'risk'
