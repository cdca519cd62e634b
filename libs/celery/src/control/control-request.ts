import { decodeBody, readEnvelope } from '../wire/envelope.js'
import { isObject } from '../wire/is-object.js'

/** A command that was sent to workers. */
export interface ControlRequest {
  readonly method: string
  readonly arguments: Readonly<Record<string, unknown>>
  /** Names of the workers that are meant; empty: all that `pattern` fits, or all. */
  readonly destination: readonly unknown[]
  readonly pattern: string | undefined
  /** How `pattern` is read: `glob` or `pcre`. */
  readonly matcher: string | undefined
  readonly ticket: unknown
  /** Where the reply goes; undefined: nobody waits for one. */
  readonly replyTo: { readonly exchange: string; readonly routingKey: string } | undefined
  /** Logical clock of the sender. */
  readonly clock: unknown
}

/** Returns nothing for a message that is not a command. @throws {UnreadableMessage} for what is no message. */
export const decodeControlRequest = (raw: string): ControlRequest | undefined => {
  const envelope = readEnvelope(raw)
  const body = decodeBody(envelope)
  if (!isObject(body) || typeof body['method'] !== 'string') return undefined
  const { destination, pattern, matcher, ticket, reply_to: replyTo } = body
  return {
    method: body['method'],
    arguments: isObject(body['arguments']) ? body['arguments'] : {},
    destination: Array.isArray(destination) ? destination : [],
    pattern: textOf(pattern),
    matcher: textOf(matcher),
    ticket: ticket ?? null,
    replyTo: isObject(replyTo)
      ? { exchange: String(replyTo['exchange']), routingKey: String(replyTo['routing_key']) }
      : undefined,
    clock: envelope.headers['clock'],
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
