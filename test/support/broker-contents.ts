import { Redis } from 'ioredis'
import { query } from './query.js'
import type { Stack } from './stack.js'

/** Everything that the broker of a stack holds, as text: every key of Redis, or every row of the queues' schema. */
export const readBroker = async (stack: Stack): Promise<string> => (await listBroker(stack)).join('\n')

/** The same, each key or row for itself. */
export const listBroker = (stack: Stack): Promise<readonly string[]> =>
  stack.redis ? listRedis(stack.redis.url) : listSchema(stack.databaseUrl)

export const listSchema = async (url: string): Promise<readonly string[]> => {
  const tables = await query<{ name: string }>(
    url,
    `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
     WHERE table_schema = 'memoryguard_queue'`,
  )
  const texts: string[] = []
  for (const { name } of tables) {
    const rows = await query<{ text: string }>(url, `SELECT held::text AS text FROM ${name} held`)
    texts.push(...rows.map(({ text }) => text))
  }
  return texts
}

export const listRedis = async (url: string): Promise<readonly string[]> => {
  const client = new Redis(url)
  const read = async (key: string): Promise<unknown> => {
    switch (await client.type(key)) {
      case 'string':
        return client.get(key)
      case 'hash':
        return client.hgetall(key)
      case 'list':
        return client.lrange(key, 0, -1)
      case 'set':
        return client.smembers(key)
      case 'zset':
        return client.zrange(key, 0, -1)
      default:
        return client.xrange(key, '-', '+')
    }
  }
  try {
    const keys = await client.keys('*')
    return await Promise.all(keys.map(async (key) => JSON.stringify([key, await read(key)])))
  } finally {
    await client.quit()
  }
}
