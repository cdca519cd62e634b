import type { EndedTask } from '#libs/database'
import { LOGGER, SampledLines, type Logger } from '#libs/platform'
import { shownName } from './contracts/catalogue.js'
import { Inject, Injectable } from '@nestjs/common'

/** Most log lines about tasks that ended without running a second. */
const linesPerSecond = 50

/** Logs one line for each task that ended without running, up to 50 a second and then the number of those left out. */
@Injectable()
export class UnrunLines {
  private readonly lines: SampledLines

  constructor(@Inject(LOGGER) private readonly log: Logger) {
    this.lines = new SampledLines(linesPerSecond, (leftOut) =>
      log.info({ leftOut }, 'further tasks ended without running within a second'),
    )
  }

  report(tasks: readonly EndedTask[]): void {
    for (const { id, name, queue, state } of tasks)
      if (this.lines.take()) this.log.info({ task: id, name: shownName(name), queue, state }, 'task finished')
  }
}
