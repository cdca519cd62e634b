import { setTimeout as pause } from 'node:timers/promises'
import { CommandError } from '../command-error.js'
import { warn } from '../output.js'
import type { RestClient } from './rest-client.js'

/** An event of a stream, without comments and positions. */
export interface FollowedEvent {
  readonly event: string
  readonly data: unknown
}

/** Milliseconds before a stream that broke off is opened again. */
const reopenMs = 1_000

/**
 * Follows a stream of server-sent events, and resumes after a lost connection. Ends when the API ends the stream, or
 * after an event for which `isLast` returns true.
 * @throws CommandError if the stream cannot be opened at first, or is refused.
 */
export async function* followEvents(
  client: RestClient,
  path: string,
  isLast: (event: FollowedEvent) => boolean = () => false,
): AsyncGenerator<FollowedEvent> {
  let lastId: string | undefined
  let wasOpen = false
  for (;;) {
    try {
      const response = await client.open(path, {
        headers: { accept: 'text/event-stream', ...(lastId !== undefined && { 'last-event-id': lastId }) },
      })
      wasOpen = true
      if (response.status === 204 || !response.body) return
      for await (const { id, event, data } of readBlocks(response.body)) {
        lastId = id ?? lastId
        if (data === undefined) continue
        const followed = { event: event ?? 'message', data: JSON.parse(data) as unknown }
        yield followed
        if (isLast(followed)) return
      }
    } catch (error) {
      // A refusal says why; what may pass has a cause.
      const isRefused = error instanceof CommandError && error.cause === undefined
      if (!wasOpen || isRefused) throw error
    }
    warn('The stream broke off; opening it again.')
    await pause(reopenMs)
  }
}

/** Fields of one block of a stream. */
interface Block {
  readonly id?: string
  readonly event?: string
  readonly data?: string
}

/** The blocks of a stream, as the HTML standard frames them. */
export async function* readBlocks(body: AsyncIterable<Uint8Array>): AsyncGenerator<Block> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const part of body) {
    const blocks = (rest + decoder.decode(part, { stream: true })).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const fields = block.split('\n').map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')] as const
      })
      yield Object.fromEntries(fields)
    }
  }
}
