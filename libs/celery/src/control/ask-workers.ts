import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { CeleryConnections } from '../connection.js'
import { LogicalClock } from '../logical-clock.js'
import { decodeBody, readEnvelope } from '../wire/envelope.js'
import { encodeTransientMessage } from '../wire/transient-message.js'
import { isObject } from '../wire/is-object.js'
import { bindingSeparator, pidboxChannel } from './pidbox.js'

/** A command of `celery inspect` with its arguments. */
export interface Question {
  readonly method: string
  readonly arguments?: Readonly<Record<string, unknown>>
}

/** What a worker has replied to a command. Two workers may have the same name. */
export interface WorkerReply {
  readonly worker: string
  readonly reply: unknown
}

const exchange = 'reply.celery.pidbox'
/** How often replies are counted, in milliseconds. */
const pollMs = 50

/**
 * Sends commands to all workers, ours and Celery's, and resolves to the replies to each, in the order of the commands. It
 * waits until every worker that listens has replied, but at most `ms`. Nothing of it stays in Redis.
 */
export const askWorkers = async (
  connections: CeleryConnections,
  questions: readonly Question[],
  ms: number,
  clock = new LogicalClock(),
): Promise<readonly (readonly WorkerReply[])[]> => {
  const { broker } = connections
  const id = randomUUID()
  const queue = `${id}.${exchange}`
  const [bindings, key] = [connections.key(`_kombu.binding.${exchange}`), connections.key(queue)]
  const binding = [id, '', queue].join(bindingSeparator)
  await broker.sadd(bindings, binding)
  try {
    const sent = questions.map((question) => ({ ...question, ticket: randomUUID() }))
    let expected = 0
    for (const question of sent) {
      const headers = { clock: clock.forward() }
      const body = bodyOf(question, id)
      const message = encodeTransientMessage({ body, headers, exchange: 'celery.pidbox', routingKey: '' })
      expected += await broker.publish(pidboxChannel(connections), message)
    }
    const end = performance.now() + ms
    while (performance.now() < end && (await broker.llen(key)) < expected)
      await pause(pollMs, undefined, { ref: false })
    const messages = (await broker.lrange(key, 0, -1)).map(readReply)
    return sent.map(({ ticket }) => messages.filter((message) => message.ticket === ticket).flatMap(repliesIn))
  } finally {
    await broker.multi().srem(bindings, binding).del(key).exec()
  }
}

const bodyOf = ({ method, arguments: given, ticket }: Question & { readonly ticket: string }, id: string) => ({
  method,
  arguments: given ?? {},
  destination: null,
  pattern: null,
  matcher: null,
  ticket,
  reply_to: { exchange, routing_key: id },
})

interface ReplyMessage {
  readonly ticket: unknown
  readonly body: unknown
}

const readReply = (raw: string): ReplyMessage => {
  const envelope = readEnvelope(raw)
  return { ticket: envelope.headers['ticket'], body: decodeBody(envelope) }
}

/** One name, and what its worker replied. */
const repliesIn = ({ body }: ReplyMessage): readonly WorkerReply[] =>
  isObject(body) ? Object.entries(body).map(([worker, reply]) => ({ worker, reply })) : []
