import { randomUUID } from 'node:crypto'
import { MemoryGuardError, parseBrokerUrl, parseCeleryUrl, reasonOf } from '#libs/platform'
import { readFacts, readInfo, warningsOf, type BrokerFacts, type RedisFacts } from './broker-facts.js'
import {
  codeOf,
  explainBrokerFailure,
  explainTls,
  configInvalid,
  isTlsRefusal,
  probeMs,
  unavailable,
} from './explain-failure.js'
import { celeryBackend, celeryBroker, keyPrefix, ourBroker, type ProbedRedis } from './probed-redis.js'
import { ClosedError, RedisDialog, type RedisAddress } from './redis-dialog.js'
import { ForeignProtocolError, RedisReplyError } from './redis-reply.js'

/** How long a server may take to say why it closes a connection, in milliseconds. */
const lastWordsMs = 1_000

/**
 * Connects as the queues will, signs in, chooses the database and tries each command that they need, all in bounded time.
 * @throws MemoryGuardError CONFIG_INVALID for what does not pass by itself, BROKER_UNAVAILABLE for what may; one sentence
 * with the server's own words.
 */
export const probeRedis = async (url: string): Promise<BrokerFacts> => {
  const parsed = parseBrokerUrl(url)
  if ('fault' in parsed) throw configInvalid(`BROKER_URL ${parsed.fault}.`)
  const facts = await probe(parsed.address, ourBroker, (dialog) =>
    dialog.ask('SET', `${keyPrefix}:probe:${randomUUID()}`, '1', 'PX', '1'),
  )
  return { kind: facts.kind, redis: facts, warnings: warningsOf(facts) }
}

/** The same for the broker and for the result backend of Celery; it writes nothing. @throws as `probeRedis` does */
export const probeCelery = async (part: 'broker' | 'backend', url: string): Promise<RedisFacts> => {
  const variable = part === 'broker' ? 'CELERY_BROKER_URL' : 'CELERY_RESULT_BACKEND'
  const parsed = parseCeleryUrl(url)
  if ('fault' in parsed) throw configInvalid(`${variable} ${parsed.fault}.`)
  const { address } = parsed
  return probe(address, part === 'broker' ? celeryBroker(address) : celeryBackend(address))
}

const probe = async (
  address: RedisAddress,
  redis: ProbedRedis,
  write?: (dialog: RedisDialog) => Promise<unknown>,
): Promise<RedisFacts> => {
  const where = `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
  const signal = AbortSignal.timeout(probeMs)
  try {
    const dialog = await RedisDialog.open(address, signal)
    try {
      return await converse(dialog, address, redis, write)
    } finally {
      dialog.close()
    }
  } catch (error) {
    if (error instanceof MemoryGuardError) throw error
    if (isCut(error)) throw await explainCut(address, where, redis, error)
    throw explainBrokerFailure(error, where, redis, address.isSecure)
  }
}

const converse = async (
  dialog: RedisDialog,
  address: RedisAddress,
  redis: ProbedRedis,
  write?: (dialog: RedisDialog) => Promise<unknown>,
): Promise<RedisFacts> => {
  await signIn(dialog, address)
  await dialog.ask('PING')
  await chooseDatabase(dialog, address, redis)
  const info = readInfo(await dialog.ask('INFO'), redis)
  await tryCommands(dialog, redis)
  await write?.(dialog)
  return readFacts(info, await dialog.ask('CONFIG', 'GET', 'save').catch(() => null))
}

const signIn = async (dialog: RedisDialog, { username, password }: RedisAddress): Promise<void> => {
  if (password === undefined) return
  try {
    await dialog.ask('AUTH', ...(username === undefined ? [] : [username]), password)
  } catch (error) {
    // A server without a password lets everyone in.
    if (!(error instanceof RedisReplyError && /without any password|no password is set/.test(error.message)))
      throw error
  }
}

const chooseDatabase = async (
  dialog: RedisDialog,
  { database }: RedisAddress,
  { name, variable }: ProbedRedis,
): Promise<void> => {
  if (database === 0) return
  try {
    await dialog.ask('SELECT', String(database))
  } catch (error) {
    if (!(error instanceof RedisReplyError)) throw error
    throw configInvalid(
      `${name} has no database ${database} for us (${error.message}). Choose another at the end of ${variable}.`,
    )
  }
}

/**
 * Has the server accept each command for a transaction that is then given up: what it would reject, it rejects there.
 * Running them would cost a small server dearly, for Redis keeps 24 KB of statistics of each command that it has run.
 */
const tryCommands = async (dialog: RedisDialog, redis: ProbedRedis): Promise<void> => {
  const commands = redis.commands(randomUUID())
  await dialog.ask('MULTI')
  const replies = await dialog.askAll(commands)
  for (const [index, reply] of replies.entries()) {
    if (!(reply instanceof RedisReplyError)) continue
    if (reply.kind !== 'NOPERM') throw reply
    throw configInvalid(
      `The user of ${redis.variable} may not run ${commands[index]?.[0]} on ${redis.keys} (${reply.message}). Allow it: ${redis.neededRights}`,
      reply,
    )
  }
  await dialog.ask('DISCARD')
}

const isCut = (error: unknown): boolean =>
  error instanceof ClosedError || ['ECONNRESET', 'EPIPE'].includes(codeOf(error))

/** A server that cuts a connection may say why to one that is silent: what is sent meanwhile hides it. */
const explainCut = async (
  address: RedisAddress,
  where: string,
  redis: ProbedRedis,
  cut: unknown,
): Promise<MemoryGuardError> => {
  const words = await inDialog(address, (dialog) => dialog.listen())
  if (words instanceof RedisReplyError || words instanceof ForeignProtocolError)
    return explainBrokerFailure(words, where, redis)
  if (!address.isSecure && (await speaksTls(address))) return explainTls(where, redis, cut)
  // PostgreSQL replies with one letter to the question whether it speaks TLS.
  const letter = await inDialog(address, (dialog) => dialog.exchange(Buffer.from('0000000804d2162f', 'hex')))
  if (letter instanceof Buffer && letter.length === 1 && /[SN]/.test(letter.toString('latin1'))) {
    return configInvalid(`PostgreSQL responds at ${where}, not Redis. Correct host and port in ${redis.variable}.`, cut)
  }
  return unavailable(
    `${redis.name} at ${where} does not respond (${reasonOf(cut)}). Is it a Redis, does it speak TLS?`,
    cut,
  )
}

const speaksTls = async (address: RedisAddress): Promise<boolean> => {
  const outcome = await inDialog({ ...address, isSecure: true }, () => Promise.resolve(true))
  return outcome === true || isTlsRefusal(codeOf(outcome))
}

const inDialog = async (address: RedisAddress, talk: (dialog: RedisDialog) => Promise<unknown>): Promise<unknown> => {
  let dialog: RedisDialog | undefined
  try {
    dialog = await RedisDialog.open(address, AbortSignal.timeout(lastWordsMs))
    return await talk(dialog)
  } catch (error) {
    return error
  } finally {
    dialog?.close()
  }
}
