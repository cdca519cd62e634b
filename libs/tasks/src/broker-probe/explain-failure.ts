import { MemoryGuardError, reasonOf } from '#libs/platform'
import { ForeignProtocolError, RedisReplyError } from './redis-reply.js'

/** Longest time that a probe takes, in milliseconds. */
export const probeMs = 5_000

/** A Redis as the sentences about it name it. */
export interface NamedRedis {
  /** What a sentence begins with, such as `The broker`. */
  readonly name: string
  /** The variable that holds its URL. */
  readonly variable: string
  /** What lets a user do all that is needed. */
  readonly neededRights: string
  /** Where a password is to be given. Default: in the URL. */
  readonly passwordAdvice?: string
}

/** Errors that pass by themselves: the server loads, is full, is a replica now, or cannot write to its disk. */
const passing = /LOADING|MASTERDOWN|OOM|MISCONF|BUSY|TRYAGAIN|CLUSTERDOWN|NOREPLICAS|MOVED|ASK|max number of clients/

/** What does not pass by itself. */
export const configInvalid = (message: string, cause?: unknown): MemoryGuardError =>
  new MemoryGuardError('CONFIG_INVALID', message, { cause })

/** What may pass by itself. */
export const unavailable = (message: string, cause: unknown): MemoryGuardError =>
  new MemoryGuardError('BROKER_UNAVAILABLE', message, { cause, retryable: true })

/** The code of an error of Node.js. */
export const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '')

/** Whether a server has said nothing for as long as it may. */
export const isTimeout = (error: unknown): boolean => error instanceof Error && error.name === 'TimeoutError'

const isCertificateRefused = (code: string): boolean => /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/.test(code)

/** Why a probe failed, in one sentence with the server's own words. */
export const explainBrokerFailure = (
  error: unknown,
  where: string,
  redis: NamedRedis,
  isSecure = false,
): MemoryGuardError => {
  const { name, variable } = redis
  if (error instanceof RedisReplyError) return explainReply(error, redis)
  if (error instanceof ForeignProtocolError) return explainForeign(error.firstBytes, where, redis, error)
  const code = codeOf(error)
  if (isCertificateRefused(code)) {
    return configInvalid(
      `The certificate of ${lowered(name)} at ${where} is not accepted (${reasonOf(error)}). Name the file of its authority in NODE_EXTRA_CA_CERTS.`,
      error,
    )
  }
  if (/^(ERR_SSL|EPROTO)/.test(code)) {
    return explainPlain(where, redis, code, error)
  }
  const reason = isTimeout(error) ? `no response within ${probeMs / 1000} s` : reasonOf(error)
  return unavailable(
    `${name} at ${where} does not respond (${reason}). Is it running${isSecure ? ', does it speak TLS' : ''}, is ${variable} right?`,
    error,
  )
}

/** `the broker`, inside a sentence. */
const lowered = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1)

/** Sentences about replies that do not pass by themselves, by the kind of the reply. */
const replySentences: Readonly<Record<string, (words: string, redis: NamedRedis) => string>> = {
  NOAUTH: (words, { name, variable, passwordAdvice = `Write it into ${variable}: redis://:password@host.` }) =>
    `${name} asks for a password (${words}). ${passwordAdvice}`,
  WRONGPASS: (words, { name, variable }) =>
    `${name} does not know this user and password (${words}). Correct them in ${variable}.`,
  NOPERM: (words, { variable, neededRights }) =>
    `The user of ${variable} lacks a permission (${words}). Allow it: ${neededRights}`,
  DENIED: (words, { name }) => `${name} refuses connections: ${words}.`,
}

const explainReply = (error: RedisReplyError, redis: NamedRedis): MemoryGuardError => {
  const words = error.message.replace(/\.$/, '')
  const sentence = replySentences[error.kind]?.(words, redis)
  if (sentence !== undefined) return configInvalid(sentence, error)
  if (error.kind === 'READONLY') {
    const advice = `Let ${redis.variable} lead to the master, or name its sentinels there`
    return unavailable(`${redis.name} is a replica (${words}). ${advice}.`, error)
  }
  const message = `${redis.name} cannot be used: ${words}.`
  return passing.test(words) ? unavailable(message, error) : configInvalid(message, error)
}

/** The server expects TLS, and none is spoken. */
export const explainTls = (where: string, { name, variable }: NamedRedis, cause: unknown): MemoryGuardError =>
  configInvalid(`${name} at ${where} speaks TLS. Write rediss:// in ${variable}.`, cause)

/** The server speaks no TLS, and is asked for it. */
export const explainPlain = (
  where: string,
  { name, variable }: NamedRedis,
  proof: string,
  cause: unknown,
): MemoryGuardError =>
  configInvalid(
    `${name} at ${where} does not speak TLS (${proof}). Write redis:// in ${variable} if it is not to.`,
    cause,
  )

/** Whether a code is that of a server that speaks TLS, but not with us. */
export const isTlsRefusal = (code: string): boolean => isCertificateRefused(code) || /^ERR_SSL.*ALERT/.test(code)

const explainForeign = (bytes: Buffer, where: string, redis: NamedRedis, cause: unknown): MemoryGuardError => {
  const start = bytes.toString('latin1', 0, 20)
  // A TLS record: an alert, for the greeting was none of TLS.
  if (bytes[0] === 0x15) return explainTls(where, redis, cause)
  const what = start.startsWith('HTTP/') ? 'An HTTP server' : start.startsWith('SSH-') ? 'An SSH server' : 'Something'
  return configInvalid(`${what} responds at ${where}, not Redis. Correct host and port in ${redis.variable}.`, cause)
}
