import { isDatabaseUnavailable, ScheduleRepository, type Firing, type ScheduleEntity } from '#libs/database'
import { LOGGER, PeriodicLoop, type Logger } from '#libs/platform'
import { planFiring, Submissions } from '#libs/tasks'
import { Inject, Injectable } from '@nestjs/common'

/** A schedule that was made or changed elsewhere is read after this long at the latest. */
const pollMs = 1_000
/** Pause while something is due that another process may just be firing. */
const shortestMs = 10

/**
 * Submits the tasks of schedules when they are due. Every worker does this; the locks of the rows and the keys of the
 * tasks make it one task for each tick.
 */
@Injectable()
export class Schedules {
  readonly loop: PeriodicLoop

  constructor(
    private readonly schedules: ScheduleRepository,
    private readonly submissions: Submissions,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.loop = new PeriodicLoop(
      {
        name: 'schedules',
        intervalMs: pollMs,
        run: () => this.run(),
        failure: 'schedules not run; trying again',
        levelOf: (error) => (isDatabaseUnavailable(error) ? 'warn' : 'error'),
      },
      log,
    )
  }

  /** Fires what is due. Returns the time until the next check, in milliseconds. */
  private async run(): Promise<number> {
    const dueInMs = (await this.schedules.findDueInMs()) ?? pollMs
    if (dueInMs > 0) return Math.min(pollMs, Math.ceil(dueInMs))
    this.submissions.enqueue(await this.schedules.fireDue(this.plan))
    return shortestMs
  }

  /** One that cannot be planned stands still until it is changed, and leaves the others alone. */
  private readonly plan = (schedule: ScheduleEntity, now: Date): Firing => {
    try {
      return planFiring(schedule, now)
    } catch (error) {
      this.log.error({ err: error, schedule: schedule.name }, 'schedule cannot be planned; it stands still')
      return { ticks: [], nextRunAt: null }
    }
  }
}
