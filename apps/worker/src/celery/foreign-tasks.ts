import { askWorkers, CeleryConnections } from '#libs/celery'
import { LOGGER, PeriodicLoop, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { StrayMessages } from './stray-messages.js'

/** How often to ask whether somebody takes them, and how long the replies are waited for, in milliseconds. */
const intervalMs = 15_000
const replyMs = 2_000
/** Names that are shown, and how much of each: callers choose them. */
const mostNames = 20
const mostCharacters = 100

/**
 * Notices tasks of others that wait in our queues although no worker that knows them replies. It asks
 * the workers only while such tasks wait.
 */
@Injectable()
export class ForeignTasks {
  readonly loop: PeriodicLoop
  private unserved: readonly string[] = []
  private readonly logged = new Set<string>()

  constructor(
    private readonly connections: CeleryConnections,
    private readonly strays: StrayMessages,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    const failure = 'Celery workers not asked for the tasks of others'
    const job = { name: 'celery foreign tasks', intervalMs, run: () => this.check(), failure }
    this.loop = new PeriodicLoop({ ...job, levelOf: () => 'debug' }, log)
  }

  /** One sentence for operators, or nothing. It keeps no work of ours from being done. */
  get notes(): readonly string[] {
    if (this.unserved.length === 0) return []
    const more = this.unserved.length - mostNames
    const names = this.unserved.slice(0, mostNames).map((name) => name.slice(0, mostCharacters))
    return [
      `Celery tasks that no worker takes wait in the queues: ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}. Start a Celery worker that has them, or stop sending them.`,
    ]
  }

  private async check(): Promise<void> {
    const seen = [...this.strays.foreignTasks]
    this.unserved = seen.length === 0 ? [] : await this.withoutWorker(seen)
    if (this.unserved.every((name) => this.logged.has(name))) return
    for (const name of this.unserved) this.logged.add(name)
    for (const note of this.notes) this.log.warn(note)
  }

  /** Those of the tasks that no worker has which replies. */
  private async withoutWorker(tasks: readonly string[]): Promise<readonly string[]> {
    const question = { method: 'registered', arguments: { builtins: true } }
    const [replies = []] = await askWorkers(this.connections, [question], replyMs)
    const registered = new Set(replies.flatMap(({ reply }) => reply).map((entry) => String(entry).split(' [', 1)[0]))
    return tasks.filter((name) => !registered.has(name)).toSorted()
  }
}
