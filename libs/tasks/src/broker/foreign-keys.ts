import { queueNames } from '#libs/platform'
import { keyPrefix } from '../broker-probe/index.js'

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

const keys = queueNames.flatMap((queue) => Object.keys(typesOfKeys).map((name) => `${keyPrefix}:${queue}:${name}`))
const types = queueNames.flatMap(() => Object.values(typesOfKeys))

/** Finds keys that do not have the type that BullMQ needs, and optionally deletes them. */
const script = {
  numberOfKeys: keys.length,
  lua: `local found = {}
    for index, key in ipairs(KEYS) do
      local type = redis.pcall('TYPE', key)['ok']
      if type and type ~= 'none' and type ~= ARGV[index + 1] then
        found[#found + 1] = key
        if ARGV[1] == 'delete' then redis.call('DEL', key) end
      end
    end
    return found`,
}

/** What of a Redis client the search needs. */
interface ScriptRunner {
  defineCommand(name: string, definition: typeof script): void
  runCommand(name: string, args: unknown[]): Promise<string[]>
}

const prepared = new WeakSet<ScriptRunner>()

/** The keys in the place of a queue's that no queue can use, in one round trip. @throws the server's error */
export const findForeignKeys = (client: ScriptRunner, mode: 'find' | 'delete'): Promise<readonly string[]> => {
  if (!prepared.has(client)) client.defineCommand('memoryguardForeignKeys', script)
  prepared.add(client)
  return client.runCommand('memoryguardForeignKeys', [...keys, mode, ...types])
}
