import { MemoryGuardError, nameOfHost, reasonOf } from '#libs/platform'
import {
  codeOf,
  configInvalid,
  explainBrokerFailure,
  explainPlain,
  explainTls,
  isTimeout,
  isTlsRefusal,
  probeMs,
  unavailable,
  type NamedRedis,
} from './explain-failure.js'
import { ClosedError, RedisDialog, type RedisTarget } from './redis-dialog.js'
import { ForeignProtocolError, RedisReplyError } from './redis-reply.js'

/** How long a server may take to say why it closes a connection, in milliseconds. */
const lastWordsMs = 1_000

/**
 * Talks with a server over a connection of its own, in bounded time.
 * @throws MemoryGuardError CONFIG_INVALID for what does not pass by itself, BROKER_UNAVAILABLE for what may; one sentence
 * with the server's own words.
 */
export const withDialog = async <Result>(
  target: RedisTarget,
  redis: NamedRedis,
  talk: (dialog: RedisDialog) => Promise<Result>,
): Promise<Result> => {
  const where = nameOfHost(target)
  try {
    const dialog = await RedisDialog.open(target, AbortSignal.timeout(probeMs))
    try {
      await signIn(dialog, target)
      return await talk(dialog)
    } finally {
      dialog.close()
    }
  } catch (error) {
    if (error instanceof MemoryGuardError) throw error
    const isSilent = isCut(error) || isTimeout(error)
    if (target.isSecure && isSilent && (await speaksPlain(target)))
      throw explainPlain(where, redis, 'it responds without', error)
    if (isCut(error)) throw await explainCut(target, where, redis, error)
    throw explainBrokerFailure(error, where, redis, target.isSecure)
  }
}

const signIn = async (dialog: RedisDialog, { username, password }: RedisTarget): Promise<void> => {
  if (password !== undefined) {
    try {
      await dialog.ask('AUTH', ...(username === undefined ? [] : [username]), password)
    } catch (error) {
      // A server without a password lets everyone in.
      if (!(error instanceof RedisReplyError && /without any password|no password is set/.test(error.message)))
        throw error
    }
  }
  await dialog.ask('PING')
}

const isCut = (error: unknown): boolean =>
  error instanceof ClosedError || ['ECONNRESET', 'EPIPE'].includes(codeOf(error))

/** A server that cuts a connection may say why to one that is silent: what is sent meanwhile hides it. */
const explainCut = async (
  target: RedisTarget,
  where: string,
  redis: NamedRedis,
  cut: unknown,
): Promise<MemoryGuardError> => {
  const words = await inDialog(target, (dialog) => dialog.listen())
  if (words instanceof RedisReplyError || words instanceof ForeignProtocolError)
    return explainBrokerFailure(words, where, redis)
  if (!target.isSecure && (await speaksTls(target))) return explainTls(where, redis, cut)
  // PostgreSQL replies with one letter to the question whether it speaks TLS.
  const letter = await inDialog(target, (dialog) => dialog.exchange(Buffer.from('0000000804d2162f', 'hex')))
  if (letter instanceof Buffer && letter.length === 1 && /[SN]/.test(letter.toString('latin1'))) {
    return configInvalid(`PostgreSQL responds at ${where}, not Redis. Correct host and port in ${redis.variable}.`, cut)
  }
  return unavailable(
    `${redis.name} at ${where} does not respond (${reasonOf(cut)}). Is it a Redis, does it speak TLS?`,
    cut,
  )
}

/** Redis waits for the end of a line, which a greeting of TLS need not have: it does not say that it is not spoken. */
const speaksPlain = async (target: RedisTarget): Promise<boolean> => {
  const outcome = await inDialog({ ...target, isSecure: false }, (dialog) => dialog.ask('PING'))
  return outcome === 'PONG' || outcome instanceof RedisReplyError
}

const speaksTls = async (target: RedisTarget): Promise<boolean> => {
  const outcome = await inDialog({ ...target, isSecure: true }, () => Promise.resolve(true))
  return outcome === true || isTlsRefusal(codeOf(outcome))
}

const inDialog = async (target: RedisTarget, talk: (dialog: RedisDialog) => Promise<unknown>): Promise<unknown> => {
  let dialog: RedisDialog | undefined
  try {
    dialog = await RedisDialog.open(target, AbortSignal.timeout(lastWordsMs))
    return await talk(dialog)
  } catch (error) {
    return error
  } finally {
    dialog?.close()
  }
}
