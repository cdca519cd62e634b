import { createHmac, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A message that came in. */
export interface ReceivedMessage {
  readonly path: string
  readonly id: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  readonly body: { readonly type: string; readonly timestamp: string; readonly data: Record<string, unknown> }
}

/** A server that keeps what it is sent. */
export interface WebhookReceiver {
  readonly url: string
  readonly messages: readonly ReceivedMessage[]
  /** How it responds to a message; default: 204. A function that does not end the response keeps the sender waiting. */
  respond: (message: ReceivedMessage, response: ServerResponse) => void
  close(): Promise<void>
}

export const startReceiver = async (port = 0): Promise<WebhookReceiver> => {
  const messages: ReceivedMessage[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    request.on('end', () => {
      const { headers, url: path = '' } = request
      const body = JSON.parse(text) as ReceivedMessage['body']
      const message = { path, id: String(headers['webhook-id']), headers, text, body }
      messages.push(message)
      receiver.respond(message, response)
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const receiver: WebhookReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    messages,
    respond: (_, response) => response.writeHead(204).end(),
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return receiver
}

/** Whether one of the signatures is of this secret, checked as a receiver would. */
export const isSignedBy = (secret: string, { id, headers, text }: ReceivedMessage): boolean => {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const signed = `${id}.${String(headers['webhook-timestamp'])}.${text}`
  const expected = Buffer.from(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`)
  const isRecent = Math.abs(Date.now() / 1000 - Number(headers['webhook-timestamp'])) < 300
  return (
    isRecent &&
    String(headers['webhook-signature'])
      .split(' ')
      .some((signature) => signature.length === expected.length && timingSafeEqual(Buffer.from(signature), expected))
  )
}
