import { CeleryQueues, decodeMessage, type RawMessage } from '#libs/celery'
import { TaskRepository } from '#libs/database'
import { LOGGER, PeriodicLoop, type Logger, type QueueName } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { CallIntake, type TakenMessage } from './call-intake.js'

/** How often messages that are being stored are marked as in good hands, in milliseconds. */
const keepMs = 500
/** Interval between two searches for messages of dead gateways, in milliseconds, and their least age, in seconds. */
const lostMs = 5_000
const lostSeconds = 10

/** Messages of so many characters, unpacked, are stored together: a few bytes may be packed into one of many. */
const maxGroupLength = 4 * 1024 * 1024

/** Answers for messages from when they are taken until they are acknowledged: they are stored, or given back. */
@Injectable()
export class MessageKeeper {
  private readonly loop: PeriodicLoop
  private readonly acknowledging = new Set<Promise<void>>()

  constructor(
    private readonly queues: CeleryQueues,
    private readonly intake: CallIntake,
    private readonly tasks: TaskRepository,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    const run = () => this.giveBackLost()
    this.loop = new PeriodicLoop({ name: 'lost celery calls', intervalMs: lostMs, run, levelOf: () => 'debug' }, log)
  }

  start(): void {
    this.loop.start(0)
  }

  /** Resolves when every message is acknowledged or given back. */
  async stop(): Promise<void> {
    await this.loop.stop()
    await Promise.all(this.acknowledging)
  }

  /**
   * Stores messages. They are acknowledged a moment later, when what is stored survives a crash of the server.
   * @throws while the database is unavailable: then they are given back.
   */
  async store(messages: readonly RawMessage[], queues: readonly QueueName[]): Promise<void> {
    const first = decodeSome(messages)
    // Usually that is all.
    const tags = tagsOf(messages.slice(first.length))
    const keeping = this.keep(tags)
    try {
      let group = first
      for (let done = 0; done < messages.length; group = decodeSome(messages.slice(done))) {
        await this.storeGroup(group, queues)
        done += group.length
      }
    } catch (error) {
      await this.queues.giveBack(tags)
      throw error
    } finally {
      clearInterval(keeping)
    }
  }

  private keep(tags: readonly string[]): NodeJS.Timeout {
    return setInterval(() => {
      this.queues.keep(tags).catch((error: unknown) => this.log.debug({ err: error }, 'Celery messages not kept'))
    }, keepMs)
  }

  private async storeGroup(decoded: readonly TakenMessage[], queues: readonly QueueName[]): Promise<void> {
    const tags = tagsOf(decoded)
    const keeping = this.keep(tags)
    try {
      await this.intake.take(decoded, queues)
    } catch (error) {
      clearInterval(keeping)
      await this.queues.giveBack(tags)
      throw error
    }
    const acknowledged = this.acknowledge(tags).finally(() => {
      clearInterval(keeping)
      this.acknowledging.delete(acknowledged)
    })
    this.acknowledging.add(acknowledged)
  }

  /** What cannot be acknowledged comes again, and is known then. */
  private async acknowledge(tags: readonly string[]): Promise<void> {
    try {
      await this.tasks.makeDurable()
      await this.queues.acknowledge(tags)
    } catch (error) {
      this.log.warn({ err: error, calls: tags.length }, 'Celery calls not acknowledged; they are taken once more')
      await this.queues.giveBack(tags).catch((cause: unknown) => {
        this.log.debug({ err: cause }, 'Celery calls not given back; another gateway does it')
      })
    }
  }

  private async giveBackLost(): Promise<void> {
    const lost = await this.queues.giveBackLost(lostSeconds)
    if (lost > 0) this.log.warn({ calls: lost }, 'Celery calls given back that another worker took and lost')
  }
}

const tagsOf = (messages: readonly { readonly tag?: string | undefined }[]): readonly string[] =>
  messages.flatMap(({ tag }) => tag ?? [])

/** Decodes as many messages as memory and the event loop bear at once: at least one, if there is one. */
const decodeSome = (messages: readonly RawMessage[]): readonly TakenMessage[] => {
  const decoded: TakenMessage[] = []
  let length = 0
  for (const { raw, queue, tag } of messages) {
    const message = { raw, tag, ...decodeMessage(raw, queue) }
    decoded.push(message)
    length += message.length
    if (length >= maxGroupLength) break
  }
  return decoded
}
