import { ModelActivationRepository, type ShadowDifferences } from '#libs/database'
import { ModelRegistry, RiskModels, type Risk } from '#libs/ml'
import { LOGGER, MemoryGuardError, PeriodicLoop, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'

/** How often the shadows are read and the counts are stored, in milliseconds. */
const intervalMs = 2_000
/** A shadow that takes longer than this counts as failed. */
const timeoutMs = 10_000

type Counted = { -readonly [Field in keyof ShadowDifferences]: ShadowDifferences[Field] } & {
  readonly categoryChanges: Record<string, number>
}

/**
 * Runs shadow versions on what was just served and counts how their risks differ. One run is under way at a time; people
 * who come meanwhile are left out and counted, so that a shadow never slows what is served. Its risks are not returned,
 * and its failures are no one else's.
 */
@Injectable()
export class Shadows {
  /** `name@version` of the shadow by the model's name. */
  private shadows: ReadonlyMap<string, string> = new Map()
  private readonly counted = new Map<string, Counted>()
  private isRunning = false
  private readonly loop: PeriodicLoop

  constructor(
    private readonly activations: ModelActivationRepository,
    private readonly registry: ModelRegistry,
    private readonly models: RiskModels,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.loop = new PeriodicLoop({ name: 'shadows', intervalMs, run: () => this.keepUp() }, log)
  }

  start(): void {
    this.loop.start(0)
  }

  /** Stores what has been counted. */
  async stop(): Promise<void> {
    await this.loop.stop()
    await this.keepUp()
  }

  /** Compares what was served with the shadow, if there is one. Returns at once. */
  observe(
    served: string,
    people: readonly Readonly<Record<string, number>>[],
    risks: readonly (Risk | MemoryGuardError)[],
  ): void {
    const model = this.shadows.get(served.split('@')[0] ?? '')
    if (model === undefined || model === served || !this.registry.readyReferences.includes(model)) return
    const counted = this.countedOf(model, served)
    if (this.isRunning) counted.skipped += people.length
    else void this.compare(counted, people, risks)
  }

  private async compare(
    counted: Counted,
    people: readonly Readonly<Record<string, number>>[],
    risks: readonly (Risk | MemoryGuardError)[],
  ): Promise<void> {
    this.isRunning = true
    try {
      const results = await this.models.predict(counted.model, people, timeoutMs)
      results.forEach((result, row) => {
        const risk = risks[row]
        if (!risk || risk instanceof MemoryGuardError) return
        if (result instanceof MemoryGuardError) counted.failed += 1
        else count(counted, risk, result)
      })
    } catch (error) {
      counted.failed += people.length
      this.log.debug({ err: error, model: counted.model }, 'shadow failed')
    } finally {
      this.isRunning = false
    }
  }

  private countedOf(model: string, served: string): Counted {
    const key = `${model} ${served}`
    const known = this.counted.get(key)
    if (known) return known
    const sums = { compared: 0, failed: 0, skipped: 0, sumDifference: 0, sumAbsolute: 0, maxAbsolute: 0 }
    const counted: Counted = { model, served, ...sums, categoryChanges: {} }
    this.counted.set(key, counted)
    return counted
  }

  private async keepUp(): Promise<void> {
    try {
      const rows = await this.activations.list()
      this.shadows = new Map(
        rows.flatMap(({ name, shadow }): [string, string][] => (shadow === null ? [] : [[name, `${name}@${shadow}`]])),
      )
      const due = this.isRunning ? [] : [...this.counted.values()]
      if (due.length === 0) return
      this.counted.clear()
      await this.activations.addShadowDifferences(due)
    } catch (error) {
      this.log.warn({ err: error }, 'shadow results not stored')
    }
  }
}

const count = (counted: Counted, served: Risk, shadow: Risk): void => {
  const difference = shadow.score - served.score
  counted.compared += 1
  counted.sumDifference += difference
  counted.sumAbsolute += Math.abs(difference)
  counted.maxAbsolute = Math.max(counted.maxAbsolute, Math.abs(difference))
  if (served.category === shadow.category) return
  const change = `${served.category}>${shadow.category}`
  counted.categoryChanges[change] = (counted.categoryChanges[change] ?? 0) + 1
}
