import { parseVariables } from './load-config.js'
import { variables, type VariableName } from './variables.js'

const mask = '********'

/** A URL, or libpq's keywords, with the secret parts masked: the password, and parameters that carry one. */
export const maskUrl = (url: string): string =>
  url
    .replaceAll(/([?&]sentinel_password=)[^&#]*/gi, `$1${mask}`)
    .replace(/^([a-z+]+:\/\/[^:/?#@]*:)(.*)(@)/is, `$1${mask}$3`)
    .replaceAll(/([?&](?:password|sslpassword|token)=)[^&#]*/gi, `$1${mask}`)
    .replaceAll(/(^|\s)((?:ssl)?password\s*=\s*)(?:'(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)/gis, `$1$2${mask}`)

const printable = (name: string, value: ReturnType<typeof parseVariables>[VariableName]): string => {
  if (value === undefined) return ''
  if (typeof value === 'object' && 'get' in value)
    return [...value].map(([text, { role, isBound }]) => `${text}=${role}${isBound ? ':bound' : ''}`).join(',')
  if (!variables[name as VariableName].secret) return maskUrl(String(value))
  return name.endsWith('_URL') ? maskUrl(String(value)) : mask
}

/** The values in force by variable name, for `memoryguard config print`: secrets masked, of URLs the password alone. */
export const printableConfig = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(Object.entries(parseVariables(env)).map(([name, value]) => [name, printable(name, value)]))

/** The values of `printableConfig` that differ from the defaults. */
export const changedConfig = (env: NodeJS.ProcessEnv): Record<string, string> => {
  const defaults: Readonly<Record<string, unknown>> = parseVariables({})
  return Object.fromEntries(
    Object.entries(parseVariables(env))
      .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(defaults[name]))
      .map(([name, value]) => [name, printable(name, value)]),
  )
}
