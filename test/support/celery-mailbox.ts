import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { encodeTransientMessage } from '../../libs/celery/src/wire/transient-message.js'

/** The caller's side of `celery inspect` and `celery control`, as kombu does it. */
export interface CeleryMailbox {
  /** Publishes a command to all workers and resolves to the first reply to it, or to nothing within the time. */
  ask(method: string, more?: MailboxRequest): Promise<MailboxReply | undefined>
  /** Publishes a command for whose reply nobody waits; resolves to the number of workers that receive it. */
  send(method: string, more?: MailboxRequest): Promise<number>
  /** Publishes any text. */
  publish(raw: string): Promise<number>
  readonly redis: Redis
  close(): void
}

export interface MailboxRequest {
  readonly arguments?: object
  readonly destination?: readonly string[]
  readonly pattern?: string
  readonly matcher?: string
  readonly clock?: number
  /** Where replies are wanted; a queue of this caller by default. */
  readonly routingKey?: string
}

export interface MailboxReply {
  readonly body: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, unknown>>
  readonly properties: Readonly<Record<string, unknown>>
}

const exchange = 'reply.celery.pidbox'

export const openCeleryMailbox = async (url: string, keyPrefix = ''): Promise<CeleryMailbox> => {
  const redis = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null })
  redis.on('error', () => undefined)
  const database = Number(new URL(url).pathname.slice(1))
  const id = randomUUID()
  const queue = `${id}.${exchange}`
  await redis.sadd(`${keyPrefix}_kombu.binding.${exchange}`, `${id}\u0006\u0016\u0006\u0016${queue}`)
  const publish = (raw: string) => redis.publish(`${keyPrefix}/${database}.celery.pidbox`, raw)
  const send = (method: string, more: MailboxRequest, reply: object) => {
    const { clock = 1, routingKey: _routingKey, ...rest } = more
    const body = { method, arguments: {}, destination: null, pattern: null, matcher: null, ...rest, ...reply }
    return publish(encodeTransientMessage({ body, headers: { clock }, exchange: 'celery.pidbox', routingKey: '' }))
  }
  return {
    redis,
    publish,
    send: (method, more = {}) => send(method, more, {}),
    ask: async (method, more = {}) => {
      const ticket = randomUUID()
      await send(method, more, { ticket, reply_to: { exchange, routing_key: more.routingKey ?? id } })
      const popped = await redis.brpop(keyPrefix + queue, 1.5)
      if (!popped) return undefined
      const message = JSON.parse(popped[1]) as MailboxReply & { body: string }
      return { ...message, body: JSON.parse(Buffer.from(message.body, 'base64').toString()) as MailboxReply['body'] }
    },
    close: () => redis.disconnect(),
  }
}
