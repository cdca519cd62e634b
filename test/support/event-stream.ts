import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { Stack } from './stack.js'
import { waitFor } from './wait-for.js'

/** One event as it was read off a stream. */
export interface ReadEvent {
  readonly id: string | undefined
  readonly event: string
  readonly data: Record<string, unknown>
}

/** A client of a stream that keeps all it gets. */
export interface EventReader {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly events: readonly ReadEvent[]
  readonly comments: readonly string[]
  /** Id to go on from, as a browser keeps it. */
  readonly lastId: string | undefined
  readonly isEnded: boolean
  /** The whole text. */
  readonly text: string
  /** Waits for the end of the stream. */
  ended(): Promise<void>
  close(): void
}

/** Opens a stream of server-sent events. */
export const readEvents = async (
  stack: Stack,
  path: string,
  { lastId, key = stack.key }: { readonly lastId?: string | undefined; readonly key?: string } = {},
): Promise<EventReader> => {
  const headers = { authorization: `Bearer ${key}`, ...(lastId !== undefined && { 'last-event-id': lastId }) }
  const request = get(`${stack.url}${path}`, { headers, agent: false })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const events: ReadEvent[] = []
  const comments: string[] = []
  let text = ''
  let rest = ''
  let last = lastId
  let isEnded = false
  response.setEncoding('utf8')
  response.on('data', (part: string) => {
    text += part
    const blocks = (rest + part).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const fields = new Map(
        block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      )
      last = fields.get('id') ?? last
      const comment = fields.get('')
      if (comment !== undefined) comments.push(comment)
      const data = fields.get('data')
      if (data !== undefined)
        events.push({ id: fields.get('id'), event: fields.get('event') ?? '', data: JSON.parse(data) })
    }
  })
  for (const name of ['end', 'error', 'close']) response.on(name, () => (isEnded = true))
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    events,
    comments,
    get lastId() {
      return last
    },
    get isEnded() {
      return isEnded
    },
    get text() {
      return text
    },
    ended: async () => {
      await waitFor(() => isEnded, { what: 'the end of the stream' })
    },
    close: () => request.destroy(),
  }
}
