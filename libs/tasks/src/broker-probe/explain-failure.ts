import { MemoryGuardError, reasonOf } from '#libs/platform'
import { ForeignProtocolError, RedisReplyError } from './redis-reply.js'

/** Prefix of every Redis key; the braces keep all keys in one slot of a Redis Cluster. */
export const keyPrefix = '{memoryguard}'

/** Longest time that a probe takes, in milliseconds. */
export const probeMs = 5_000

/** What lets a user do all that queues need. */
export const neededRights = `ACL SETUSER name ~${keyPrefix}* +@all -@dangerous +info`

/** Errors that pass by themselves: the server loads, is full, is a replica now, or cannot write to its disk. */
const passing = /LOADING|MASTERDOWN|READONLY|OOM|MISCONF|BUSY|TRYAGAIN|CLUSTERDOWN|NOREPLICAS|max number of clients/

/** What does not pass by itself. */
export const configInvalid = (message: string, cause?: unknown): MemoryGuardError =>
  new MemoryGuardError('CONFIG_INVALID', message, { cause })

/** What may pass by itself. */
export const unavailable = (message: string, cause: unknown): MemoryGuardError =>
  new MemoryGuardError('BROKER_UNAVAILABLE', message, { cause, retryable: true })

/** The code of an error of Node.js. */
export const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '')

const isCertificateRefused = (code: string): boolean => /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/.test(code)

/** Why a probe failed, in one sentence with the server's own words. */
export const explainBrokerFailure = (error: unknown, where: string, isSecure = false): MemoryGuardError => {
  if (error instanceof RedisReplyError) return explainReply(error)
  if (error instanceof ForeignProtocolError) return explainForeign(error.firstBytes, where, error)
  const code = codeOf(error)
  if (isCertificateRefused(code)) {
    return configInvalid(
      `The certificate of the broker at ${where} is not accepted (${reasonOf(error)}). Name the file of its authority in NODE_EXTRA_CA_CERTS.`,
      error,
    )
  }
  if (/^(ERR_SSL|EPROTO)/.test(code)) {
    return configInvalid(
      `The broker at ${where} does not speak TLS (${code}). Write redis:// in BROKER_URL if it is not to.`,
      error,
    )
  }
  const reason =
    error instanceof Error && error.name === 'TimeoutError' ? `no answer within ${probeMs / 1000} s` : reasonOf(error)
  return unavailable(
    `The broker at ${where} does not answer (${reason}). Is it running${isSecure ? ', does it speak TLS' : ''}, is BROKER_URL right?`,
    error,
  )
}

/** Sentences about replies that do not pass by themselves, by the kind of the reply. */
const replySentences: Readonly<Record<string, (words: string) => string>> = {
  NOAUTH: (words) => `The broker asks for a password (${words}). Write it into BROKER_URL: redis://:password@host.`,
  WRONGPASS: (words) => `The broker does not know this user and password (${words}). Correct them in BROKER_URL.`,
  NOPERM: (words) => `The user of BROKER_URL lacks a permission (${words}). Allow it: ${neededRights}`,
  DENIED: (words) => `The broker refuses connections: ${words}.`,
}

const explainReply = (error: RedisReplyError): MemoryGuardError => {
  const words = error.message.replace(/\.$/, '')
  const sentence = replySentences[error.kind]?.(words)
  if (sentence !== undefined) return configInvalid(sentence, error)
  const message = `The broker cannot be used: ${words}.`
  return passing.test(words) ? unavailable(message, error) : configInvalid(message, error)
}

/** The server expects TLS, and none is spoken. */
export const explainTls = (where: string, cause: unknown): MemoryGuardError =>
  configInvalid(`The broker at ${where} speaks TLS. Write rediss:// in BROKER_URL.`, cause)

/** Whether a code is that of a server that speaks TLS, but not with us. */
export const isTlsRefusal = (code: string): boolean => isCertificateRefused(code) || /^ERR_SSL.*ALERT/.test(code)

const explainForeign = (bytes: Buffer, where: string, cause: unknown): MemoryGuardError => {
  const start = bytes.toString('latin1', 0, 20)
  // A TLS record: an alert, for the greeting was none of TLS.
  if (bytes[0] === 0x15) return explainTls(where, cause)
  const what = start.startsWith('HTTP/') ? 'An HTTP server' : start.startsWith('SSH-') ? 'An SSH server' : 'Something'
  return configInvalid(`${what} answers at ${where}, not Redis. Correct host and port in BROKER_URL.`, cause)
}
