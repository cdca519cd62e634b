import { Redis } from 'ioredis'
import pg from 'pg'

/** The tables, of every schema that is not the server's own, that hold a row in whose text one of the words stands. */
export const findInDatabase = async (url: string, words: readonly string[]): Promise<readonly string[]> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows: tables } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
       WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
    )
    const found: string[] = []
    for (const { name } of tables) {
      const { rows } = await client.query<{ text: string }>(
        `SELECT t::text AS text FROM ${name} t WHERE t::text LIKE ANY($1::text[]) LIMIT 3`,
        [words.map((word) => `%${word}%`)],
      )
      found.push(...rows.map(({ text }) => `${name}: ${text}`))
    }
    return found
  } finally {
    await client.end()
  }
}

/** The keys of a Redis in whose contents one of the words stands. */
export const findInRedis = async (url: string, words: readonly string[]): Promise<readonly string[]> => {
  const client = new Redis(url)
  try {
    const found: string[] = []
    for (const key of await client.keys('*')) {
      const text = `${key} ${await contentOf(client, key)}`
      if (words.some((word) => text.includes(word))) found.push(text)
    }
    return found
  } finally {
    await client.quit()
  }
}

const contentOf = async (client: Redis, key: string): Promise<string> => {
  switch (await client.type(key)) {
    case 'hash':
      return JSON.stringify(await client.hgetall(key))
    case 'list':
      return JSON.stringify(await client.lrange(key, 0, -1))
    case 'set':
      return JSON.stringify(await client.smembers(key))
    case 'zset':
      return JSON.stringify(await client.zrange(key, 0, -1))
    case 'stream':
      return JSON.stringify(await client.xrange(key, '-', '+'))
    default:
      return (await client.get(key)) ?? ''
  }
}
