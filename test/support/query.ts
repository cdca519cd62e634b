import { createHash, randomBytes, randomUUID } from 'node:crypto'
import pg from 'pg'

/** Runs one statement on a connection of its own. */
export const query = async <Row extends object>(
  url: string,
  sql: string,
  parameters: readonly unknown[] = [],
): Promise<Row[]> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Row>(sql, [...parameters])).rows
  } finally {
    await client.end()
  }
}

/** The single number of a statement such as `SELECT count(*)::int AS number`. */
export const queryNumber = async (url: string, sql: string, parameters: readonly unknown[] = []): Promise<number> => {
  const [row] = await query<{ number: number }>(url, sql, parameters)
  if (!row) throw new Error(`No row: ${sql}`)
  return row.number
}

export interface KeyOptions {
  readonly role: 'viewer' | 'submitter' | 'operator' | 'admin'
  readonly userId?: number
  readonly expiresAt?: Date
  readonly revokedAt?: Date
}

/** Makes an API key and returns its text. */
export const insertKey = async (databaseUrl: string, options: KeyOptions): Promise<string> => {
  const key = `mg_${randomBytes(24).toString('base64url')}`
  const hash = createHash('sha256').update(key).digest()
  await query(
    databaseUrl,
    `INSERT INTO api_keys (id, name, hash, role, user_id, expires_at, revoked_at) VALUES ($1, 'test', $2, $3, $4, $5, $6)`,
    [randomUUID(), hash, options.role, options.userId ?? null, options.expiresAt ?? null, options.revokedAt ?? null],
  )
  return key
}
