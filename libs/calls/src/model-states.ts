import {
  ModelActivationRepository,
  WorkerRepository,
  type ModelActivationEntity,
  type WorkerEntity,
  type WorkerModelState,
} from '#libs/database'
import { FolderScanner, ModelCatalogue } from '#libs/ml/manifest'
import { LOGGER, MemoryGuardError, PeriodicLoop, type Logger } from '#libs/platform'
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'

/** How often folders, workers and activations are read, in milliseconds: the longest delay of a change. */
const intervalMs = 2_000
/** A worker that has been silent for longer says nothing of its models, in seconds. */
const silentSeconds = 20

/** What one worker says of a model. */
export type WorkerReport = WorkerModelState & { readonly worker: string }

/** Which models are ready where, and which versions serve and shadow, as this process knows it. */
@Injectable()
export class ModelStates implements OnApplicationShutdown {
  private readonly brokenHere = new Map<string, string>()
  private activations: readonly ModelActivationEntity[] = []
  private workers: readonly WorkerEntity[] = []
  private readonly loop: PeriodicLoop
  private said = ''
  private defaultFault: string | undefined

  constructor(
    private readonly catalogue: ModelCatalogue,
    private readonly scanner: FolderScanner,
    private readonly repository: ModelActivationRepository,
    private readonly workerRows: WorkerRepository,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.loop = new PeriodicLoop({ name: 'models', intervalMs, run: () => this.refresh() }, log)
  }

  /** Starts polling. Call it when the database is available. */
  async start(): Promise<void> {
    await this.refresh()
    this.loop.start()
  }

  onApplicationShutdown(): Promise<void> {
    return this.loop.stop()
  }

  /** Reads everything anew. What cannot be read stays as it was. */
  async refresh(): Promise<void> {
    try {
      const { models, broken } = await this.scanner.scan()
      models.forEach((model) => this.catalogue.add(model))
      for (const { reference, error } of broken) {
        this.log.error({ model: reference, err: error }, 'model folder unusable')
        this.brokenHere.set(reference, error instanceof MemoryGuardError ? reasonOf(error) : 'it cannot be read')
      }
      ;[this.activations, this.workers] = await Promise.all([
        this.repository.list(),
        this.workerRows.listSeen(silentSeconds),
      ])
      this.catalogue.setActive(this.activeVersions())
      const fault = this.catalogue.defaultFault
      if (fault !== undefined && fault !== this.defaultFault) this.log.warn(`Not ready: models: ${fault}.`)
      this.defaultFault = fault
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (message !== this.said) this.log.warn({ err: error }, 'model states not read; trying again')
      this.said = message
    }
  }

  activationOf(name: string): ModelActivationEntity | undefined {
    return this.activations.find((activation) => activation.name === name)
  }

  /** What each living worker says of a model; empty if none has reported it. */
  reportsOf(reference: string): readonly WorkerReport[] {
    return this.workers
      .filter(({ state }) => state === 'ready')
      .flatMap(({ name, modelStates }) => {
        const state = modelStates[reference]
        return state ? [{ worker: name, ...state }] : []
      })
  }

  isReady(reference: string): boolean {
    return this.reportsOf(reference).some(({ state }) => state === 'ready')
  }

  /** Models of which no folder could be read here or in a worker, with the reason. */
  get unreadable(): readonly { readonly model: string; readonly reason: string }[] {
    const reported = this.workers.flatMap(({ modelStates }) =>
      Object.entries(modelStates).flatMap(([model, { state, reason }]): [string, string][] =>
        state === 'broken' ? [[model, reason ?? '']] : [],
      ),
    )
    return [...new Map([...reported, ...this.brokenHere])]
      .filter(([model]) => !this.catalogue.find(model))
      .map(([model, reason]) => ({ model, reason }))
  }

  /** The chosen version of each model; of a model without one, the newest that is ready. */
  private activeVersions(): ReadonlyMap<string, string> {
    const names = new Set(this.catalogue.models.map(({ manifest }) => manifest.name))
    return new Map(
      [...names].flatMap((name): [string, string][] => {
        const versions = this.catalogue.versionsOf(name)
        const chosen = this.activationOf(name)?.versions.at(-1)
        const version =
          chosen !== undefined && versions.includes(chosen)
            ? chosen
            : versions.find((each) => this.isReady(`${name}@${each}`))
        return version === undefined ? [] : [[name, version]]
      }),
    )
  }
}

/** Faults without the path of the folder. */
const reasonOf = ({ faults, message }: MemoryGuardError): string =>
  faults.length > 0 ? faults.map((fault) => `${fault.pointer}: ${fault.message}`).join('; ') : message
