import { decodeMessage } from '../wire/message.js'
import { readEnvelope } from '../wire/envelope.js'

/** What may be shown of a message: nothing of its arguments. */
export interface DescribedMessage {
  readonly task: string | undefined
  readonly queue: string
  /** Why it cannot be read, as a sentence without any value of it. */
  readonly reason: string | undefined
  readonly eta: Date | undefined
  /** What its form says of the client, such as `Celery 5.3 or newer`; undefined where it says nothing. */
  readonly client: string | undefined
  /** Host of the client. */
  readonly host: string | undefined
}

/** Describes a message as it stands in the list `queue`. */
export const describeMessage = (raw: string, queue: string): DescribedMessage => {
  const decoded = decodeMessage(raw, queue)
  const { task } = decoded.heading
  const { client, host } = clientOf(raw)
  return 'reason' in decoded
    ? { task, queue, reason: decoded.reason, eta: undefined, client, host }
    : { task, queue, reason: undefined, eta: decoded.message.eta, client, host }
}

const clientOf = (raw: string): { readonly client: string | undefined; readonly host: string | undefined } => {
  let headers: Readonly<Record<string, unknown>>
  try {
    headers = readEnvelope(raw).headers
  } catch {
    return { client: undefined, host: undefined }
  }
  const { lang, origin } = headers
  const host = typeof origin === 'string' ? origin.slice(origin.indexOf('@') + 1) : undefined
  return { client: releaseOf(headers, lang), host }
}

/** Each release has headers that the one before had not. */
const releaseOf = (headers: Readonly<Record<string, unknown>>, lang: unknown): string => {
  if (!Object.hasOwn(headers, 'task')) return 'Celery with protocol 1'
  if (typeof lang === 'string' && lang !== 'py') return `a client in ${lang}`
  return Object.hasOwn(headers, 'stamped_headers') ? 'Celery 5.3 or newer' : 'Celery 5.2 or older'
}
