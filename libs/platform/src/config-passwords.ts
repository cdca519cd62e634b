import { urlWithPassword } from './config-text.js'
import type { InputFault } from './memory-guard-error.js'

/** The variables that name servers, and the passwords for them. */
export interface ServerValues {
  DATABASE_URL?: string | undefined
  DATABASE_DIRECT_URL?: string | undefined
  DATABASE_PASSWORD?: string | undefined
  BROKER_URL?: string | undefined
  BROKER_PASSWORD?: string | undefined
}

/** Puts passwords that stand alone into their URLs; returns what is wrong with them. */
export const addPasswords = (values: ServerValues): readonly InputFault[] => {
  const faults = (['DATABASE', 'BROKER'] as const).flatMap((service): InputFault[] => {
    const [url, password] = [values[`${service}_URL`], values[`${service}_PASSWORD`]]
    if (password === undefined) return []
    const pointer = `${service}_PASSWORD`
    if (url === undefined) return [{ pointer, message: `needs ${service}_URL, which names the server and the user` }]
    const complete = urlWithPassword(url, password)
    if (complete === undefined) return [{ pointer, message: `differs from the password in ${service}_URL: give one` }]
    values[`${service}_URL`] = complete
    return []
  })
  const { DATABASE_DIRECT_URL: directUrl, DATABASE_PASSWORD: password } = values
  // Who signs in to a pooler may have another password there: one in the direct URL stays.
  if (directUrl !== undefined && password !== undefined)
    values.DATABASE_DIRECT_URL = urlWithPassword(directUrl, password) ?? directUrl
  return faults
}
