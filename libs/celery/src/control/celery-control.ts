import { PeriodicLoop, type Logger } from '#libs/platform'
import type { Redis } from 'ioredis'
import type { CeleryConnections } from '../connection.js'
import type { LogicalClock } from '../logical-clock.js'
import { decodeBody, readEnvelope } from '../wire/envelope.js'
import { encodeTransientMessage } from '../wire/transient-message.js'
import { isAddressed } from './addressing.js'
import { askNeighbours } from './ask-neighbours.js'
import { decodeControlRequest, type ControlRequest } from './control-request.js'
import { isObject } from '../wire/is-object.js'
import { bindingSeparator, pidboxChannel } from './pidbox.js'

/** A command that gets no reply, as one to shut down. */
export const noReply = Symbol('noReply')

/** Runs a command; what it resolves to is the reply, as JSON. It does not reject. */
export type ControlHandler = (method: string, given: Readonly<Record<string, unknown>>) => Promise<unknown>

/** How often to check whether the connections still lead anywhere, in milliseconds. */
const probeEveryMs = 10_000

/** A reply that nobody fetches is removed after this time, in milliseconds. */
const replyMs = 60_000

export interface ControlOptions {
  /** Name of this worker. */
  readonly name: string
  readonly clock: LogicalClock
  readonly handle: ControlHandler
  /** Called once after the start with what other workers know as revoked. */
  readonly learnRevoked: (ids: readonly string[]) => Promise<unknown>
}

/**
 * The mailbox of a worker: receives what `celery inspect`, `celery control` and Flower broadcast, and replies to it. What
 * is broadcast while Redis cannot be reached is lost, as for Celery's own workers.
 */
export class CeleryControl {
  private readonly channel: string
  /** Pattern of the channels in which workers announce themselves. */
  private readonly neighbours: string
  private readonly probe: PeriodicLoop
  private subscriber: Redis | undefined

  constructor(
    private readonly connections: CeleryConnections,
    private readonly options: ControlOptions,
    private readonly log: Logger,
  ) {
    const { database } = connections
    this.channel = pidboxChannel(connections)
    this.neighbours = `${connections.key(`/${database}.celeryev/`).replaceAll(/[\\*?[\]]/g, String.raw`\$&`)}worker.*`
    this.probe = new PeriodicLoop({ name: 'celery control', intervalMs: probeEveryMs, run: () => this.check() }, log)
  }

  /** Receives commands from now on, or as soon as Redis can be reached. */
  start(): void {
    const subscriber = this.connections.subscriber()
    this.subscriber = subscriber
    subscriber.on('message', (_channel, raw) => void this.receive(raw))
    subscriber.on('pmessage', (_pattern, _channel, raw) => this.followClock(raw))
    subscriber.once('ready', () => void this.greet())
    for (const subscribed of [subscriber.subscribe(this.channel), subscriber.psubscribe(this.neighbours)]) {
      subscribed.catch((error: unknown) => this.warn(error, 'not subscribed to Celery commands'))
    }
    this.probe.start()
  }

  async stop(): Promise<void> {
    this.subscriber?.disconnect()
    await this.probe.stop()
  }

  private async greet(): Promise<void> {
    const { name, clock, learnRevoked } = this.options
    try {
      const ids = await askNeighbours(this.connections, name, clock)
      if (ids.length > 0) await learnRevoked(ids)
    } catch (error) {
      this.warn(error, 'other Celery workers not asked what is revoked')
    }
  }

  /** What fails because the worker stops is no news. */
  private warn(error: unknown, message: string): void {
    if (!this.probe.isStopped) this.log.warn({ err: error }, message)
  }

  private async check(): Promise<void> {
    const silent = await this.connections.renewSilent()
    if (silent > 0) this.log.warn({ connections: silent }, 'Redis of Celery does not respond; connecting again')
  }

  private async receive(raw: string): Promise<void> {
    const { name, clock, handle } = this.options
    clock.forward()
    try {
      const request = decodeControlRequest(raw)
      if (!request) return
      clock.adjust(request.clock)
      if (!isAddressed(name, request)) return
      const reply = await handle(request.method, request.arguments)
      if (reply !== noReply && request.replyTo) await this.reply(request, request.replyTo, reply)
    } catch (error) {
      this.warn(error, 'Celery command not handled')
    }
  }

  /** Monitors order the events of all workers by their clocks, so these are kept together. */
  private followClock(raw: string): void {
    try {
      const event = decodeBody(readEnvelope(raw))
      if (isObject(event)) this.options.clock.adjust(event['clock'])
    } catch (error) {
      this.log.debug({ err: error }, 'Celery event not understood')
    }
  }

  /** Sends the reply to every queue that the caller has bound; if there is none, nobody waits any more. */
  private async reply(
    { ticket }: ControlRequest,
    { exchange, routingKey }: NonNullable<ControlRequest['replyTo']>,
    reply: unknown,
  ): Promise<void> {
    const { connections, options } = this
    const bindings = await connections.broker.smembers(connections.key(`_kombu.binding.${exchange}`))
    const queues = bindings.flatMap((binding) => {
      const [key, , queue] = binding.split(bindingSeparator)
      return key === routingKey && queue ? [connections.key(queue)] : []
    })
    if (queues.length === 0) return
    const headers = { ticket, clock: options.clock.forward() }
    const message = encodeTransientMessage({ body: { [options.name]: reply }, headers, exchange, routingKey })
    const pipeline = connections.broker.multi()
    for (const queue of queues) pipeline.lpush(queue, message).pexpire(queue, replyMs)
    await pipeline.exec()
  }
}
