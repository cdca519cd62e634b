import { CeleryQueues, decodeMessage, type MessageHeading, type RawMessage } from '#libs/celery'
import { isTaskName } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'

/** How often the lists are searched, in milliseconds. */
const searchMs = 500
/** How long a message that another worker may know is left for it, in milliseconds. */
const patienceMs = 2_000
/** Most messages to read of each list. */
const look = 50

/** Names of this kind are ours, even those that no version of ours has. */
const ours = 'ml.'

/**
 * Finds the messages that the claim by name passes over and that concern us nevertheless: those of the old protocol,
 * which has no name in its headers, those of unknown tasks with names like ours, and those that nobody can read. All other
 * messages belong to others and stay.
 */
@Injectable()
export class StrayMessages {
  private searchedAt = 0
  /** When a message was seen first that may be another worker's. */
  private seen = new Map<string, number>()
  private foreign: ReadonlySet<string> = new Set()

  constructor(private readonly queues: CeleryQueues) {}

  /** Names of the tasks of others that the last search has seen. */
  get foreignTasks(): ReadonlySet<string> {
    return this.foreign
  }

  /** Takes them, at most twice a second. */
  async take(names: readonly string[], tasks: readonly string[]): Promise<readonly RawMessage[]> {
    const now = performance.now()
    if (now - this.searchedAt < searchMs) return []
    this.searchedAt = now
    const seen = new Map<string, number>()
    const { messages, others } = await this.queues.peek(names, look, ours)
    const foreign = new Set(others)
    const taken: RawMessage[] = []
    for (const message of messages) {
      const { raw, queue } = message
      const { heading, reason } = { reason: undefined, ...decodeMessage(raw, queue) }
      const kind = kindOf(heading, tasks, reason !== undefined)
      if (kind === 'foreign') {
        if (heading.task !== undefined && !isTaskName(heading.task)) foreign.add(heading.task)
        continue
      }
      const since = this.seen.get(raw) ?? now
      if (kind === 'unclear' && now - since < patienceMs) {
        seen.set(raw, since)
        continue
      }
      const tag = heading.deliveryTag
      const note = tag === undefined ? undefined : { tag, exchange: '', routingKey: queue }
      if (await this.queues.take(message, note)) taken.push({ ...message, tag })
    }
    this.seen = seen
    this.foreign = foreign
    return taken
  }
}

const kindOf = (
  { task, deliveryTag }: MessageHeading,
  tasks: readonly string[],
  isUnread: boolean,
): 'ours' | 'unclear' | 'foreign' => {
  // Without a tag it is no message of kombu's, which no other worker could take.
  if (task === undefined) return isUnread && deliveryTag === undefined ? 'ours' : 'unclear'
  if (isTaskName(task)) return tasks.includes(task) ? 'ours' : 'foreign'
  return task.startsWith(ours) ? 'unclear' : 'foreign'
}
