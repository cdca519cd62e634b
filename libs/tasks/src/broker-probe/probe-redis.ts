import { randomUUID } from 'node:crypto'
import { MemoryGuardError, parseBrokerUrl, reasonOf, type BrokerAddress } from '#libs/platform'
import { readFacts, readInfo, type BrokerFacts } from './broker-facts.js'
import {
  codeOf,
  explainBrokerFailure,
  explainTls,
  configInvalid,
  isTlsRefusal,
  keyPrefix,
  neededRights,
  probeMs,
  unavailable,
} from './explain-failure.js'
import { neededCommandsOn } from './needed-commands.js'
import { ClosedError, RedisDialog } from './redis-dialog.js'
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
  const { address } = parsed
  const where = `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
  const signal = AbortSignal.timeout(probeMs)
  try {
    return await converse(address, signal)
  } catch (error) {
    if (error instanceof MemoryGuardError) throw error
    if (isCut(error)) throw await explainCut(address, where, error)
    throw explainBrokerFailure(error, where, address.isSecure)
  }
}

const converse = async (address: BrokerAddress, signal: AbortSignal): Promise<BrokerFacts> => {
  const dialog = await RedisDialog.open(address, signal)
  try {
    await signIn(dialog, address)
    await dialog.ask('PING')
    await chooseDatabase(dialog, address)
    const info = readInfo(await dialog.ask('INFO'))
    await tryCommands(dialog)
    return readFacts(info, await dialog.ask('CONFIG', 'GET', 'save').catch(() => null))
  } finally {
    dialog.close()
  }
}

const signIn = async (dialog: RedisDialog, { username, password }: BrokerAddress): Promise<void> => {
  if (password === undefined) return
  try {
    await dialog.ask('AUTH', ...(username === undefined ? [] : [username]), password)
  } catch (error) {
    // A server without a password lets everyone in.
    if (!(error instanceof RedisReplyError && /without any password|no password is set/.test(error.message)))
      throw error
  }
}

const chooseDatabase = async (dialog: RedisDialog, { database }: BrokerAddress): Promise<void> => {
  if (database === 0) return
  try {
    await dialog.ask('SELECT', String(database))
  } catch (error) {
    if (!(error instanceof RedisReplyError)) throw error
    throw configInvalid(
      `The broker has no database ${database} for us (${error.message}). Choose another at the end of BROKER_URL.`,
    )
  }
}

/**
 * Has the server accept each command for a transaction that is then given up: what it would reject, it rejects there.
 * Running them would cost a small server dearly, for Redis keeps 24 KB of statistics of each command that it has run.
 */
const tryCommands = async (dialog: RedisDialog): Promise<void> => {
  const key = `${keyPrefix}:probe:${randomUUID()}`
  const commands = neededCommandsOn(key)
  await dialog.ask('MULTI')
  const replies = await dialog.askAll(commands)
  for (const [index, reply] of replies.entries()) {
    if (!(reply instanceof RedisReplyError)) continue
    if (reply.kind !== 'NOPERM') throw reply
    throw configInvalid(
      `The user of BROKER_URL may not run ${commands[index]?.[0]} on keys that start with ${keyPrefix} (${reply.message}). Allow it: ${neededRights}`,
      reply,
    )
  }
  await dialog.ask('DISCARD')
  await dialog.ask('SET', key, '1', 'PX', '1')
}

const isCut = (error: unknown): boolean =>
  error instanceof ClosedError || ['ECONNRESET', 'EPIPE'].includes(codeOf(error))

/** A server that cuts a connection may say why to one that is silent: what is sent meanwhile hides it. */
const explainCut = async (address: BrokerAddress, where: string, cut: unknown): Promise<MemoryGuardError> => {
  const words = await overheard(address, (dialog) => dialog.listen())
  if (words instanceof RedisReplyError || words instanceof ForeignProtocolError)
    return explainBrokerFailure(words, where)
  if (!address.isSecure && (await speaksTls(address))) return explainTls(where, cut)
  // PostgreSQL replies with one letter to the question whether it speaks TLS.
  const letter = await overheard(address, (dialog) => dialog.exchange(Buffer.from('0000000804d2162f', 'hex')))
  if (letter instanceof Buffer && letter.length === 1 && /[SN]/.test(letter.toString('latin1'))) {
    return configInvalid(`PostgreSQL answers at ${where}, not Redis. Correct host and port in BROKER_URL.`, cut)
  }
  return unavailable(
    `The broker at ${where} does not answer (${reasonOf(cut)}). Is it a Redis, does it speak TLS?`,
    cut,
  )
}

const speaksTls = async (address: BrokerAddress): Promise<boolean> => {
  const outcome = await overheard({ ...address, isSecure: true }, () => Promise.resolve(true))
  return outcome === true || isTlsRefusal(codeOf(outcome))
}

const overheard = async (address: BrokerAddress, hear: (dialog: RedisDialog) => Promise<unknown>): Promise<unknown> => {
  let dialog: RedisDialog | undefined
  try {
    dialog = await RedisDialog.open(address, AbortSignal.timeout(lastWordsMs))
    return await hear(dialog)
  } catch (error) {
    return error
  } finally {
    dialog?.close()
  }
}
