import { randomUUID } from 'node:crypto'
import { WorkerRepository, type WorkerState } from '#libs/database'
import { CONFIG, LOGGER, PeriodicLoop, type Config, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { WorkerFacts } from './worker-facts.js'
import { WORKER_NAME } from './worker-name.js'

const intervalMs = 5_000

/** Writes the heartbeat row of this worker. A missed beat is logged and harmless; the row then shows as stale. */
@Injectable()
export class Presence {
  /** Identity of this process among those of its name. */
  readonly id = randomUUID()
  private readonly loop: PeriodicLoop
  private state: WorkerState = 'starting'
  private duplicates = 0

  constructor(
    private readonly workers: WorkerRepository,
    private readonly facts: WorkerFacts,
    @Inject(WORKER_NAME) private readonly name: string,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.loop = new PeriodicLoop({ name: 'heartbeat', intervalMs, run: () => this.beat() }, log)
    facts.whenModelsChange(() => {
      if (this.state !== 'starting') void this.beat()
    })
  }

  /** Reports the state from now on. To be called once the database is connected. */
  start(): void {
    this.loop.start(0)
  }

  async become(state: WorkerState): Promise<void> {
    this.state = state
    await this.beat()
  }

  async stop(): Promise<void> {
    await this.loop.stop()
    await this.become('stopped')
  }

  /** Writes the row now. */
  async beat(): Promise<void> {
    const { id, name, state } = this
    try {
      const duplicates = await this.workers.beat({ id, name, state, ...this.facts.read(this.config.worker) })
      // Once for each time that another one appears.
      if (duplicates > this.duplicates)
        this.log.warn({ duplicates }, 'worker name used twice: give each worker its own with --hostname')
      this.duplicates = duplicates
    } catch (error) {
      this.log.warn({ err: error }, 'heartbeat not written')
    }
  }
}
