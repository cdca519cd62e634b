import { randomUUID } from 'node:crypto'
import { stringifyPythonJson } from './python-json.js'

/** A message that nobody keeps: a reply to a command, or an event. */
export interface TransientMessage {
  readonly body: unknown
  readonly headers: Readonly<Record<string, unknown>>
  readonly exchange: string
  readonly routingKey: string
}

/** The message as kombu writes it into a list or a channel. */
export const encodeTransientMessage = ({ body, headers, exchange, routingKey }: TransientMessage): string =>
  stringifyPythonJson({
    body: Buffer.from(stringifyPythonJson(body)).toString('base64'),
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers,
    properties: {
      delivery_mode: 1,
      delivery_info: { exchange, routing_key: routingKey },
      priority: 0,
      body_encoding: 'base64',
      delivery_tag: randomUUID(),
    },
  })
