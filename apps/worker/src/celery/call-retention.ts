import { CeleryCallRepository } from '#libs/database'
import { LOGGER, PeriodicLoop, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'

/** Calls without a task, messages that could not be read and revokes are kept for so long, in seconds: a week. */
const keptSeconds = 7 * 86_400
const intervalMs = 600_000

/** Removes what the gateway keeps for a while: a call whose task is still there stays as long as its task. */
@Injectable()
export class CallRetention {
  readonly loop: PeriodicLoop

  constructor(calls: CeleryCallRepository, @Inject(LOGGER) log: Logger) {
    const run = async () => ((await calls.removeOld(keptSeconds)) ? 0 : undefined)
    this.loop = new PeriodicLoop({ name: 'celery retention', intervalMs, run, levelOf: () => 'warn' }, log)
  }
}
