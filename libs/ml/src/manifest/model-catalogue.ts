import { MemoryGuardError } from '#libs/platform'
import type { MetricRange } from './known-metrics.js'
import type { ForecastManifest, Manifest, RiskManifest } from './manifest.schema.js'
import { vocabularyOf } from './metric-vocabulary.js'
import { referenceOf, type ModelFolder } from './model-folder.js'

const byVersion = new Intl.Collator('en', { numeric: true })

/** Order of manifests from the newest version to the oldest. */
export const newestFirst = (a: Manifest, b: Manifest): number => byVersion.compare(b.version, a.version)

type RiskModel = ModelFolder & { readonly manifest: RiskManifest }

/** The models on offer, by name and version, and every metric that any of them or the vocabulary knows. */
export class ModelCatalogue {
  private readonly byReference = new Map<string, ModelFolder>()
  private metrics: ReadonlyMap<string, MetricRange> = vocabularyOf([])
  private active: ReadonlyMap<string, string> = new Map()

  constructor(
    models: readonly ModelFolder[],
    private readonly defaultReference: string,
  ) {
    models.forEach((model) => this.add(model))
  }

  /** Offers one more model; a version that is known stays as it is. */
  add(model: ModelFolder): void {
    const reference = referenceOf(model.manifest)
    if (this.byReference.has(reference)) return
    this.byReference.set(reference, model)
    this.metrics = vocabularyOf([...this.byReference.values()].flatMap(({ manifest }) => manifest.inputs))
  }

  get models(): readonly ModelFolder[] {
    return [...this.byReference.values()]
  }

  /** Says which version of a model serves where none is named; for a name without one the newest does. */
  setActive(versions: ReadonlyMap<string, string>): void {
    this.active = versions
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

  /** The versions of a model that are here, newest first. */
  versionsOf(name: string): readonly string[] {
    return this.models
      .filter(({ manifest }) => manifest.name === name)
      .map(({ manifest }) => manifest.version)
      .sort((a, b) => byVersion.compare(b, a))
  }

  /** The version that serves where none is named. */
  activeVersionOf(name: string): string | undefined {
    const chosen = this.active.get(name)
    return chosen !== undefined && this.byReference.has(`${name}@${chosen}`) ? chosen : this.versionsOf(name)[0]
  }

  /**
   * The risk model of a reference: `name@version`, or `name` for its active version; nothing for the default.
   * @throws {MemoryGuardError} MODEL_UNKNOWN, naming the models there are; MODEL_NOT_READY if there are none.
   */
  getRiskModel(reference: string = this.defaultReference): RiskModel {
    const model = this.findRiskModel(reference)
    if (model) return model
    const there = this.riskReferences
    if (there.length === 0) {
      throw new MemoryGuardError('MODEL_NOT_READY', 'There is no usable risk model in MODELS_DIR.', { retryable: true })
    }
    throw new MemoryGuardError('MODEL_UNKNOWN', `There is no such risk model. There are: ${there.join(', ')}.`, {
      faults: [{ pointer: '/model', message: `must be one of ${there.join(', ')}` }],
    })
  }

  /** Why predictions that name no model cannot be taken, and what to do; undefined if they can. */
  get defaultFault(): string | undefined {
    if (this.findRiskModel(this.defaultReference)) return undefined
    const there = this.riskReferences
    return there.length === 0
      ? 'none is usable'
      : `the default model ${this.defaultReference} is not in MODELS_DIR: put it there, or set DEFAULT_MODEL to one of ${there.join(', ')}`
  }

  /** Whether predictions that name no model are made by it. */
  isDefault(manifest: Manifest): boolean {
    return this.findRiskModel(this.defaultReference)?.manifest === manifest
  }

  private findRiskModel(reference: string): RiskModel | undefined {
    const model = this.byReference.get(
      reference.includes('@') ? reference : `${reference}@${this.activeVersionOf(reference) ?? ''}`,
    )
    return model && isRisk(model) ? model : undefined
  }

  private get riskReferences(): readonly string[] {
    return this.models.filter(isRisk).map(({ manifest }) => referenceOf(manifest))
  }

  /** The newest forecast model that is its name's active version. */
  findForecastModel(): (ModelFolder & { readonly manifest: ForecastManifest }) | undefined {
    return this.models
      .filter(isForecast)
      .filter(({ manifest: { name, version } }) => this.activeVersionOf(name) === version)
      .sort((a, b) => newestFirst(a.manifest, b.manifest))[0]
  }
}

/** Whether a model forecasts a dated score. */
export const isForecast = (model: ModelFolder): model is ModelFolder & { readonly manifest: ForecastManifest } =>
  model.manifest.kind === 'forecast'

const isRisk = (model: ModelFolder): model is RiskModel => model.manifest.kind === 'risk'
