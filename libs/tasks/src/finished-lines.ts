import type { EndedTask } from '#libs/database'
import { LOGGER, SampledLines, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { shownName } from './contracts/catalogue.js'

/** Logs one line for each finished task, up to 50 a second and then the number of those left out. */
@Injectable()
export class FinishedLines extends SampledLines {
  constructor(@Inject(LOGGER) log: Logger) {
    const furtherMessage = 'further tasks finished within a second'
    super(log, { level: 'info', message: 'task finished', perSecond: 50, furtherMessage })
  }

  /** Reports tasks that ended without running. */
  reportUnrun(tasks: readonly EndedTask[]): void {
    for (const { id, name, queue, state } of tasks) this.add(() => ({ task: id, name: shownName(name), queue, state }))
  }
}
