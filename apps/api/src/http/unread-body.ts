import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** How long a caller whose body is not wanted may go on sending before the connection is cut, in milliseconds. */
const patienceMs = 1_000
/** And how much, in bytes. */
const patienceBytes = 4 * 1_048_576

/** Whether bytes of the body may still come although nobody will read them. */
export const hasUnreadBody = ({ raw, headers }: FastifyRequest): boolean =>
  !raw.complete && (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0)

/**
 * Responds to a caller that is still sending, and then ends the connection. What it sends meanwhile is read and thrown
 * away for a moment, because a connection that is cut with unread bytes loses the response too.
 */
export const respondAndHangUp = (request: FastifyRequest, reply: FastifyReply, text: string): void => {
  void reply
    .header('connection', 'close')
    .header('content-length', Buffer.byteLength(text))
    .send(Readable.from(textThenPatience(request, text), { objectMode: false }))
}

async function* textThenPatience(request: FastifyRequest, text: string): AsyncGenerator<string> {
  yield text
  // Who expects to be asked for the body has sent none.
  if (request.headers.expect === undefined) await untilSilent(request)
}

const untilSilent = ({ raw }: FastifyRequest): Promise<void> =>
  new Promise((resolve) => {
    let received = 0
    const timer = setTimeout(finish, patienceMs)
    function count(bytes: Buffer): void {
      received += bytes.length
      if (received > patienceBytes) finish()
    }
    function finish(): void {
      clearTimeout(timer)
      raw.off('data', count)
      resolve()
    }
    raw.on('data', count).once('close', finish).once('end', finish)
  })
