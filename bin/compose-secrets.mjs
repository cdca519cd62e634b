/**
 * Writes the passwords of docker-compose.yml's PostgreSQL and Redis into the folder that is the first argument, and that
 * of Grafana into the second: those of POSTGRES_PASSWORD, REDIS_PASSWORD and GRAFANA_PASSWORD, or of files in
 * /run/secrets (deploy/secrets on the host), or else random ones that are made once. They reach the services as files, so
 * any character may stand in them.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder, grafanaFolder, givenFolder = '/run/secrets'] = process.argv.slice(2)

const fail = (message) => {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}

/** For every reader of the volume, and for no writer. */
const replace = (path, text) => {
  rmSync(path, { force: true })
  writeFileSync(path, text, { mode: 0o444 })
}

/** The password in a file of the host; undefined without such a file. */
const readGiven = (name) => {
  const path = join(givenFolder, name)
  if (!existsSync(path)) return undefined
  try {
    const password = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    return password || fail(`deploy/secrets/${name} is empty. Write the password into it, or remove it.`)
  } catch (error) {
    return fail(`deploy/secrets/${name} cannot be read (${error.code}). Let the user 1000 read it.`)
  }
}

const keep = (target, name, variable) => {
  const path = join(target, name)
  const given = process.env[variable] || readGiven(name)
  const password = given || (existsSync(path) ? readFileSync(path, 'utf8') : randomBytes(24).toString('base64url'))
  if (given || !existsSync(path)) replace(path, password)
  return password
}

keep(folder, 'postgres-password', 'POSTGRES_PASSWORD')
keep(grafanaFolder, 'grafana-password', 'GRAFANA_PASSWORD')
const redisPassword = keep(folder, 'redis-password', 'REDIS_PASSWORD')
// A text in double quotes, in which Redis knows these escapes.
const quoted = `"${redisPassword.replace(/["\\]/g, '\\$&')}"`
replace(join(folder, 'redis.conf'), `requirepass ${quoted}\n`)
