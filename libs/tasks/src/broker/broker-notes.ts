import { CONFIG, LOGGER, type Config, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { checkBroker } from './check-broker.js'

/** An operator may change the broker's settings while it runs: older ones are read again at the next use, in milliseconds. */
const keptMs = 60_000

/**
 * What the broker's settings put at risk, for operators: they keep no work from being done, so they are notes and no
 * faults. Each is logged once.
 */
@Injectable()
export class BrokerNotes {
  private notes: readonly string[] = []
  private readonly said = new Set<string>()
  /** Not before the start's own check, which logs what it finds. */
  private readAt = Infinity

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** The notes of the last check. After some time they are read again in the background, so that a probe never waits. */
  get current(): readonly string[] {
    // Of PostgreSQL's settings none puts the queues at risk that does not put the data at risk.
    if (this.config.broker.url !== undefined && performance.now() - this.readAt > keptMs) {
      this.readAt = performance.now()
      void this.read()
    }
    return this.notes
  }

  /** Takes what the check at the start has found and logged; undefined if the broker was not there. */
  begin(notes: readonly string[] | undefined): void {
    this.notes = notes ?? []
    for (const note of this.notes) this.said.add(note)
    this.readAt = notes ? performance.now() : -Infinity
  }

  private async read(): Promise<void> {
    try {
      this.notes = (await checkBroker(this.config)).warnings
    } catch (error) {
      // The outage itself is logged elsewhere; the last known notes are kept.
      this.log.debug({ err: error }, 'broker settings not read')
      return
    }
    for (const note of this.notes) {
      if (!this.said.has(note)) this.log.warn(note)
      this.said.add(note)
    }
  }
}
