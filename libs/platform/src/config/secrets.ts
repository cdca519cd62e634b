import { readFileSync } from 'node:fs'
import type { InputFault } from '../memory-guard-error.js'

/**
 * The text of a variable: itself, or for a secret the content of the file that `<NAME>_FILE` names, without the line
 * break at its end. Empty means absent; the variable itself wins. Returns the fault of a file that cannot be used.
 */
export const readText = (name: string, isSecret: boolean, env: NodeJS.ProcessEnv): string | undefined | InputFault => {
  const direct = env[name] || undefined
  const file = isSecret ? env[`${name}_FILE`] : undefined
  if (direct !== undefined || !file) return direct
  const pointer = `${name}_FILE`
  try {
    const text = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    return text === '' ? { pointer, message: 'names an empty file' } : text
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable'
    return { pointer, message: `cannot be read (${reason})` }
  }
}

/** Scheme, user information and the rest of a URL, in which a password need not be encoded. */
const urlParts = /^([a-z+]+:\/\/)(?:([^/?#]*)@)?(.*)/is

/** A URL with a password in it, encoded; undefined if the URL has another one. Keywords of libpq get one of theirs. */
export const urlWithPassword = (url: string, password: string): string | undefined => {
  if (!urlParts.test(url))
    return /\bpassword\s*=/.test(url) ? undefined : `${url} password='${password.replaceAll(/['\\]/g, '\\$&')}'`
  const [, scheme = '', userInfo = '', rest = ''] = urlParts.exec(url) ?? []
  const asked = new URLSearchParams(rest.slice(rest.indexOf('?') + 1)).get('password')
  if (rest.includes('?') && asked !== null) return asked === password ? url : undefined
  const encoded = encodeURIComponent(password)
  const colon = userInfo.indexOf(':')
  if (colon < 0) return `${scheme}${userInfo}:${encoded}@${rest}`
  const given = userInfo.slice(colon + 1)
  return given === '' || given === password || given === encoded
    ? `${scheme}${userInfo.slice(0, colon)}:${encoded}@${rest}`
    : undefined
}

/** Puts passwords that stand alone into their URLs; returns what is wrong with them. `faulty` variables have their faults. */
export const addPasswords = (values: Record<string, unknown>, faulty: ReadonlySet<string>): readonly InputFault[] => {
  const textOf = (name: string) => values[name] as string | undefined
  const faults: InputFault[] = (['DATABASE', 'BROKER'] as const).flatMap((service): InputFault[] => {
    const [url, password] = [textOf(`${service}_URL`), textOf(`${service}_PASSWORD`)]
    if (password === undefined || faulty.has(`${service}_URL`)) return []
    const pointer = `${service}_PASSWORD`
    if (url === undefined) return [{ pointer, message: `needs ${service}_URL, which names the server and the user` }]
    const complete = urlWithPassword(url, password)
    if (complete === undefined) return [{ pointer, message: `differs from the password in ${service}_URL: give one` }]
    values[`${service}_URL`] = complete
    return []
  })
  if (!faulty.has('BROKER_URL')) faults.push(...addSentinelPassword(values))
  const [directUrl, password] = [textOf('DATABASE_DIRECT_URL'), textOf('DATABASE_PASSWORD')]
  // Who signs in to a pooler may have another password there: one in the direct URL stays.
  if (directUrl !== undefined && password !== undefined)
    values['DATABASE_DIRECT_URL'] = urlWithPassword(directUrl, password) ?? directUrl
  return faults
}

/** Puts the password of the sentinels into the URL that names them. */
const addSentinelPassword = (values: Record<string, unknown>): readonly InputFault[] => {
  const [url, password] = [values['BROKER_URL'], values['BROKER_SENTINEL_PASSWORD']]
  if (typeof password !== 'string') return []
  const pointer = 'BROKER_SENTINEL_PASSWORD'
  if (typeof url !== 'string' || !/^rediss?\+sentinel:/.test(url)) {
    return [{ pointer, message: 'needs a BROKER_URL that names sentinels: redis+sentinel://host1,host2/master-name' }]
  }
  const given = new URLSearchParams(url.split('?')[1]).get('sentinel_password')
  if (given !== null && given !== password)
    return [{ pointer, message: 'differs from the one in BROKER_URL: give one' }]
  if (given === null) {
    values['BROKER_URL'] = `${url}${url.includes('?') ? '&' : '?'}sentinel_password=${encodeURIComponent(password)}`
  }
  return []
}
