import { isDatabaseUnavailable, StatisticsRepository, withAdvisoryLock, type QueueSample } from '#libs/database'
import { LOGGER, PeriodicLoop, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import { QueueStandings } from './queue-standings.js'

const intervalMs = 10_000
/**
 * Longest time that one run counts, and the pause before the next one counts what is left: a long history, after an update
 * or an outage, takes a quarter of the time at most.
 */
const countingMs = 500
const catchUpMs = 1_500
/** Time between two removals of what is older than it is kept. */
const removalMs = 3_600_000

/**
 * Writes the statistics every ten seconds, in one process at a time: counts what has ended, and samples the queues. It runs
 * in the api too, so that a queue without workers is seen.
 */
@Injectable()
export class StatisticsWriter {
  readonly loop: PeriodicLoop
  private sampledAt = Number.NEGATIVE_INFINITY
  private removedAt = Number.NEGATIVE_INFINITY

  constructor(
    private readonly dataSource: DataSource,
    private readonly statistics: StatisticsRepository,
    private readonly standings: QueueStandings,
    @Inject(LOGGER) log: Logger,
  ) {
    this.loop = new PeriodicLoop(
      {
        name: 'statistics',
        intervalMs,
        run: () => withAdvisoryLock(this.dataSource, 'statistics', () => this.write()),
        failure: 'statistics not written; trying again',
        levelOf: (error) => (isDatabaseUnavailable(error) ? 'warn' : 'error'),
      },
      log,
    )
  }

  /** Returns the time until the next run, in milliseconds. */
  private async write(): Promise<number> {
    const start = performance.now()
    let hasMore = await this.statistics.count()
    while (hasMore && performance.now() - start < countingMs && !this.loop.isStopped) {
      hasMore = await this.statistics.count()
    }
    // Half an interval: an early run that catches up takes no sample of its own.
    if (start - this.sampledAt > intervalMs / 2) {
      this.sampledAt = start
      await this.statistics.addSamples(await this.sample())
    }
    if (start - this.removedAt > removalMs) {
      this.removedAt = start
      await this.statistics.removeOld()
    }
    return hasMore ? catchUpMs : intervalMs
  }

  private async sample(): Promise<readonly QueueSample[]> {
    const standings = await this.standings.read()
    return standings.map(({ queue, depth, waiting, oldestWaitingSeconds, consumers, slots, busy, isPaused }) => ({
      queue,
      waiting,
      scheduled: depth.scheduled ?? 0,
      running: depth.running ?? 0,
      oldest_s: oldestWaitingSeconds ?? 0,
      consumers: consumers.length,
      slots,
      busy,
      paused: isPaused,
    }))
  }
}
