import type { QueueName } from '#libs/platform'
import { keyPrefixOf } from '../broker-probe/index.js'

/** The type of each key of a queue that keeps the queue from working if it is of another. */
const typesOfKeys: Readonly<Record<string, string>> = {
  wait: 'list',
  paused: 'list',
  active: 'list',
  delayed: 'zset',
  prioritized: 'zset',
  marker: 'zset',
  completed: 'zset',
  failed: 'zset',
  stalled: 'set',
  'stalled-check': 'string',
  meta: 'hash',
  id: 'string',
  pc: 'string',
  events: 'stream',
}

/** What follows the prefix and the name of the queue in its keys, those of jobs excepted. */
export const queueKeyNames: readonly string[] = Object.keys(typesOfKeys)
const types = Object.values(typesOfKeys)

/**
 * Finds keys that do not have the type that BullMQ needs, the first of `KEYS` excepted: optionally deletes them, or
 * writes the first. A server that only serves reads rejects both.
 */
const script = {
  numberOfKeys: queueKeyNames.length + 1,
  lua: `if ARGV[1] == 'write' then redis.call('SET', KEYS[1], 1, 'PX', ARGV[2]) end
    local found = {}
    for index = 2, #KEYS do
      local type = redis.pcall('TYPE', KEYS[index])['ok']
      if type and type ~= 'none' and type ~= ARGV[index + 1] then
        found[#found + 1] = KEYS[index]
        if ARGV[1] == 'delete' then redis.call('DEL', KEYS[index]) end
      end
    end
    return found`,
}

/** How long the key of a test of writing lives, in milliseconds. */
const probeKeyMs = 60_000

/** What of a Redis client the search needs. */
interface ScriptRunner {
  defineCommand(name: string, definition: typeof script): void
  runCommand(name: string, args: unknown[]): Promise<string[]>
}

const prepared = new WeakSet<ScriptRunner>()

/**
 * The keys in the place of a queue's that no queue can use, in one round trip. `write` writes something harmless, too.
 * @throws the server's error
 */
export const findForeignKeys = (
  client: ScriptRunner,
  queue: QueueName,
  mode: 'write' | 'delete',
): Promise<readonly string[]> => {
  if (!prepared.has(client)) client.defineCommand('memoryguardForeignKeys', script)
  prepared.add(client)
  const prefix = keyPrefixOf(queue)
  const keys = queueKeyNames.map((name) => `${prefix}:${queue}:${name}`)
  return client.runCommand('memoryguardForeignKeys', [`${prefix}:probe`, ...keys, mode, probeKeyMs, ...types])
}
