import { queueNames } from '#libs/platform'
import { queueKeyNames } from './foreign-keys.js'

/** What every key began with before each queue had a prefix of its own. */
const olderPrefix = '{memoryguard}'
/** Keys that are looked at and deleted at one time. */
const keysAtOnce = 1_000

/** A consumer sets it again and again as long as it lives. */
const signs = queueNames.map((queue) => `${olderPrefix}:${queue}:stalled-check`)
const keys = queueNames.flatMap((queue) => queueKeyNames.map((name) => `${olderPrefix}:${queue}:${name}`))

/** How many keys of older versions there are, and how many of these are signs of life. */
const script = {
  numberOfKeys: signs.length + keys.length,
  lua: `local signs = 0
    for index = 1, ${signs.length} do signs = signs + redis.call('EXISTS', KEYS[index]) end
    return {redis.call('EXISTS', unpack(KEYS)), signs}`,
}

/** What of a Redis client the removal needs. */
interface KeyRemover {
  defineCommand(name: string, definition: typeof script): void
  runCommand(name: string, args: unknown[]): Promise<[found: number, signs: number]>
  scan(cursor: string, options: { MATCH: string; COUNT: number }): Promise<[cursor: string, keys: string[]]>
  del(...keys: string[]): Promise<number>
}

/**
 * Removes the queues that an older version kept under one prefix, once no worker of that version consumes them; returns
 * how many keys they had. Their jobs are only identifiers of tasks that wait in the database, where the reconciler finds
 * them. @throws the server's error
 */
export const removeOlderKeys = async (client: KeyRemover): Promise<number> => {
  client.defineCommand('memoryguardOlderKeys', script)
  const [found, used] = await client.runCommand('memoryguardOlderKeys', [...signs, ...keys])
  if (found === 0 || used > 0) return 0
  let removed = 0
  let cursor = '0'
  do {
    const [next, page] = await client.scan(cursor, { MATCH: `${olderPrefix}:*`, COUNT: keysAtOnce })
    if (page.length > 0) removed += await client.del(...page)
    cursor = next
  } while (cursor !== '0')
  return removed
}
