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

const read = (path, name) => {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    const advice = error.code === 'EISDIR' ? 'It must be a file.' : 'Let the user 1000 read it.'
    return fail(`deploy/secrets/${name} cannot be read (${error.code}). ${advice}`)
  }
}

/** The password in a file of the host; undefined without such a file. */
const readGiven = (name) => {
  const path = join(givenFolder, name)
  if (!existsSync(path)) return undefined
  const password = read(path, name)
  if (password.trim() === '') fail(`deploy/secrets/${name} is empty. Write the password into it, or remove it.`)
  if (/[\0\r\n]/.test(password))
    fail(`deploy/secrets/${name} has more than one line. Write the password alone into it.`)
  return password
}

/** The password of a variable or of a file: of two different ones nobody could say which counts. */
const findGiven = (name, variable) => {
  const password = process.env[variable] || undefined
  if (password !== undefined && (password.trim() === '' || /[\0\r\n]/.test(password)))
    fail(`${variable} is no password: it is blank or has a line break.`)
  const inFile = readGiven(name)
  if (password !== undefined && inFile !== undefined && password !== inFile)
    fail(`${variable} and deploy/secrets/${name} differ. Remove one of them.`)
  return password ?? inFile
}

const keep = (target, name, variable) => {
  const path = join(target, name)
  const given = findGiven(name, variable)
  const password = given ?? (existsSync(path) ? readFileSync(path, 'utf8') : randomBytes(24).toString('base64url'))
  if (given !== undefined || !existsSync(path)) replace(path, password)
  return password
}

keep(folder, 'postgres-password', 'POSTGRES_PASSWORD')
keep(grafanaFolder, 'grafana-password', 'GRAFANA_PASSWORD')
const redisPassword = keep(folder, 'redis-password', 'REDIS_PASSWORD')
// A text in double quotes, in which Redis knows these escapes.
const quoted = `"${redisPassword.replace(/["\\]/g, '\\$&')}"`
replace(join(folder, 'redis.conf'), `requirepass ${quoted}\n`)
