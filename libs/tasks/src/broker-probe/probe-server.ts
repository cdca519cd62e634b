import { randomUUID } from 'node:crypto'
import { readFacts, readInfo, type RedisFacts } from './broker-facts.js'
import { configInvalid } from './explain-failure.js'
import { withDialog } from './explained-dialog.js'
import type { ProbedRedis } from './probed-redis.js'
import type { RedisDialog, RedisTarget } from './redis-dialog.js'
import { RedisReplyError } from './redis-reply.js'

/**
 * Connects to a server that holds data, signs in, chooses the database and tries each command that is needed, for each of
 * the purposes that the server has. @throws as `withDialog` does
 */
export const probeServer = (
  target: RedisTarget,
  redis: ProbedRedis,
  purposes: readonly ProbedRedis[] = [redis],
): Promise<RedisFacts> =>
  withDialog(target, redis, async (dialog) => {
    const info = readInfo(await dialog.ask('INFO'), redis)
    await chooseDatabase(dialog, target.database, redis)
    for (const purpose of purposes) {
      await tryCommands(dialog, purpose)
      if (purpose.writtenKey !== undefined) {
        await dialog.ask('SET', `${purpose.writtenKey}:${randomUUID()}`, '1', 'PX', '1')
      }
    }
    return readFacts(info, await dialog.ask('CONFIG', 'GET', 'save').catch(() => null))
  })

const chooseDatabase = async (
  dialog: RedisDialog,
  database: number,
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
