import { AuditRepository, type CountedAuditEntry } from '#libs/database'
import { LOGGER, PeriodicLoop, withinTime, type Logger } from '#libs/platform'
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'
import { AuditTally, type Observation, type Tally, type TallyOptions } from './audit-tally.js'

const windowMs = 60_000
/** Reads: each person is to be named, so rows that were stored make room for others. About 10 MB. */
const readOptions: TallyOptions = { maxRows: 20_000, windowMs, makesRoom: true }
/** Rejections: the bound on entries, so that attackers with many addresses do not fill the trail. */
const rejectionOptions: TallyOptions = { maxRows: 200, windowMs, makesRoom: false }

/** How often entries are stored, in milliseconds: what a process that is killed may not have recorded. */
const flushMs = 3_000
/** And at once when so many people were read. */
const flushAtPeople = 1_000
/** Most entries of one transaction, since all others who record something wait for it. */
const entriesAtOnce = 200
/** How long a process that stops may take to store the last entries, in milliseconds. */
const lastFlushMs = 3_000

/**
 * Records in the audit trail what happens too often for an entry each: reads of people's data, and rejections. They are
 * counted in memory and stored every few seconds, apart from the requests. What cannot be stored is kept and tried again,
 * and may be stored twice if the database goes away as it commits.
 */
@Injectable()
export class AccessLog implements OnApplicationShutdown {
  private readonly reads = new AuditTally(readOptions)
  private readonly rejections = new AuditTally(rejectionOptions)
  private readonly flushes: PeriodicLoop
  private isBehind = false

  constructor(
    private readonly entries: AuditRepository,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    // Repeated observations are due when their window is over, whether others come or not.
    this.flushes = new PeriodicLoop({ name: 'access log', intervalMs: flushMs, run: () => this.store(false) }, log)
    this.flushes.start()
  }

  noteRead(read: Observation): void {
    this.reads.add(read)
    if (this.reads.fresh >= flushAtPeople && !this.isBehind) this.flushes.wake()
  }

  noteRejection(rejection: Observation): void {
    this.rejections.add(rejection)
  }

  /** After the last request. */
  async onApplicationShutdown(): Promise<void> {
    const isStored = await withinTime(
      this.flushAll().then(() => !this.isBehind),
      lastFlushMs,
      false,
    )
    if (!isStored) this.log.error('audit entries lost: the database did not store them before the end')
  }

  private async flushAll(): Promise<void> {
    await this.flushes.stop()
    await this.store(true)
  }

  private async store(everything: boolean): Promise<void> {
    for (const tally of [this.reads, this.rejections]) {
      const taken = tally.take(everything)
      for (let start = 0; start < taken.length; start += entriesAtOnce) {
        const part = taken.slice(start, start + entriesAtOnce)
        try {
          await this.entries.recordCounted(await Promise.all(part.map((each) => this.toEntry(each))))
        } catch (error) {
          tally.giveBack(taken.slice(start))
          if (!this.isBehind) this.log.warn({ err: error }, 'audit entries not stored; trying again')
          this.isBehind = true
          return
        }
      }
    }
    if (this.isBehind) this.log.info('audit entries stored again')
    this.isBehind = false
  }

  private async toEntry(tally: Tally): Promise<CountedAuditEntry> {
    const { action, apiKeyId, target, requestId, count, facets, firstAt, lastAt } = tally
    const now = performance.now()
    return {
      action,
      apiKeyId,
      target: typeof target === 'number' ? await this.entries.pseudonymOf(target) : target,
      requestId,
      details: { count, ...facets },
      firstAgeMs: now - firstAt,
      lastAgeMs: now - lastAt,
    }
  }
}
