import { BatchRepository, isDatabaseUnavailable, withAdvisoryLock } from '#libs/database'
import { CONFIG, LOGGER, MemoryGuardError, PeriodicLoop, queueNames, type Config, type Logger } from '#libs/platform'
import { Reconciler } from '#libs/tasks'
import { Inject, Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import { Retention } from './retention.js'

/** An upload of a batch that sent nothing for this long is over; the API ends a silent one much sooner. */
const abandonedUploadSeconds = 900

/** Runs the chores that keep the system true, in one process at a time, every interval. */
@Injectable()
export class Maintenance {
  readonly loop: PeriodicLoop

  constructor(
    private readonly dataSource: DataSource,
    private readonly reconciler: Reconciler,
    private readonly batches: BatchRepository,
    private readonly retention: Retention,
    @Inject(CONFIG) config: Config,
    @Inject(LOGGER) log: Logger,
  ) {
    this.loop = new PeriodicLoop(
      {
        name: 'maintenance',
        intervalMs: config.task.reconcileIntervalSeconds * 1000,
        run: () => withAdvisoryLock(this.dataSource, 'maintenance', () => this.doChores()),
        failure: 'maintenance not finished; trying again',
        levelOf,
      },
      log,
    )
  }

  /** One that fails, for the broker is down, say, does not keep the others waiting. @throws the first failure. */
  private async doChores(): Promise<void> {
    const chores = [
      () => this.reconciler.run(queueNames),
      () => this.batches.closeFinished(null),
      () => this.batches.discardAbandoned(abandonedUploadSeconds),
      () => this.retention.run(),
    ]
    const failures: unknown[] = []
    for (const chore of chores) {
      try {
        await chore()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }
}

/** The connections to the broker log its faults themselves. */
const levelOf = (error: unknown) => {
  const isOfBroker = error instanceof MemoryGuardError && error.code === 'BROKER_UNAVAILABLE'
  return isOfBroker ? 'debug' : isDatabaseUnavailable(error) ? 'warn' : 'error'
}
