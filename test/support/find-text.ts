import pg from 'pg'

/** Rows, of every schema that is not the server's own, in whose text one of the words stands; three of each table. */
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
