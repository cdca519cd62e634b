import { isDatabaseUnavailable, ScheduleRepository, type Firing, type ScheduleEntity } from '#libs/database'
import { LOGGER, type Logger } from '#libs/platform'
import { Dispatcher, planFiring } from '#libs/tasks'
import { Inject, Injectable } from '@nestjs/common'

/** A schedule that was made or changed elsewhere is seen after this long at the latest. */
const lookMs = 1_000
/** Between two looks while something is due, which another process may just be firing. */
const shortestMs = 10

/**
 * Sends the tasks of schedules when they are due. Every worker does this; the locks of the rows and the keys of the
 * tasks make it one task for each tick.
 */
@Injectable()
export class Schedules {
  private timer: NodeJS.Timeout | undefined
  private running: Promise<void> = Promise.resolve()
  private isStopped = false

  constructor(
    private readonly schedules: ScheduleRepository,
    private readonly dispatcher: Dispatcher,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  start(afterMs = 0): void {
    if (this.isStopped) return
    this.timer = setTimeout(() => {
      this.running = this.run().then((ms) => this.start(ms))
    }, afterMs)
  }

  async stop(): Promise<void> {
    this.isStopped = true
    clearTimeout(this.timer)
    await this.running
  }

  /** Fires what is due; answers after how many milliseconds to look again. */
  private async run(): Promise<number> {
    try {
      const dueInMs = (await this.schedules.findDueInMs()) ?? lookMs
      if (dueInMs > 0) return Math.min(lookMs, Math.ceil(dueInMs))
      for (const task of await this.schedules.fireDue(this.plan)) void this.dispatcher.dispatch(task)
      return shortestMs
    } catch (error) {
      this.log[isDatabaseUnavailable(error) ? 'warn' : 'error'](
        { err: error },
        'schedules were not fired; trying again',
      )
      return lookMs
    }
  }

  /** One that cannot be planned stands still until it is changed, and leaves the others alone. */
  private readonly plan = (schedule: ScheduleEntity, now: Date): Firing => {
    try {
      return planFiring(schedule, now)
    } catch (error) {
      this.log.error({ err: error, schedule: schedule.name }, 'the schedule cannot be planned here; it stands still')
      return { ticks: [], nextRunAt: null }
    }
  }
}
