/**
 * Writes the passwords of docker-compose.yml's PostgreSQL and Redis into the folder given as argument: those of
 * POSTGRES_PASSWORD and REDIS_PASSWORD, or else random ones that are made once. They reach the services as files, so
 * any character may stand in them.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder] = process.argv.slice(2)

/** For every reader of the volume, and for no writer. */
const replace = (path, text) => {
  rmSync(path, { force: true })
  writeFileSync(path, text, { mode: 0o444 })
}

const keep = (name, given) => {
  const path = join(folder, name)
  const password = given || (existsSync(path) ? readFileSync(path, 'utf8') : randomBytes(24).toString('base64url'))
  if (given || !existsSync(path)) replace(path, password)
  return password
}

keep('postgres-password', process.env.POSTGRES_PASSWORD)
const redisPassword = keep('redis-password', process.env.REDIS_PASSWORD)
// A text in double quotes, in which Redis knows these escapes.
const quoted = `"${redisPassword.replace(/["\\]/g, '\\$&')}"`
replace(join(folder, 'redis.conf'), `requirepass ${quoted}\n`)
