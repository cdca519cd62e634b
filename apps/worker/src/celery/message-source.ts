import { CeleryQueues, type RawMessage } from '#libs/celery'
import { Injectable } from '@nestjs/common'
import { StrayMessages } from './stray-messages.js'

/** Extra messages to read of each list, because messages of other programs may stand between ours. */
const lookBeyond = 100
/** How far a list is searched now and then, and how often, in milliseconds. */
const farAhead = 10_000
const farMs = 1_000

/** Takes messages out of Celery's lists: those of our tasks, and the strays that concern us. */
@Injectable()
export class MessageSource {
  private farAt = 0

  constructor(
    private readonly queues: CeleryQueues,
    private readonly strays: StrayMessages,
  ) {}

  /** Takes at most `most` messages of the tasks; strays come on top. */
  async take(names: readonly string[], tasks: readonly string[], most: number): Promise<readonly RawMessage[]> {
    const now = performance.now()
    const isFar = now - this.farAt > farMs
    if (isFar) this.farAt = now
    const claimed = await this.queues.claim(names, tasks, most, isFar ? farAhead : most + lookBeyond)
    return [...claimed, ...(await this.strays.take(names, tasks))]
  }
}
