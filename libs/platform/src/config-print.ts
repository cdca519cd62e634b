import { parseVariables, variables, type VariableName } from './config.js'

const mask = '********'

/** A URL with its secret parts masked: the password, and parameters that carry one. */
export const maskUrl = (url: string): string =>
  url
    .replace(/^([a-z]+:\/\/[^:/?#@]*:)(.*)(@)/is, `$1${mask}$3`)
    .replaceAll(/([?&](?:password|sslpassword|token)=)[^&#]*/gi, `$1${mask}`)

/** The values in force by variable name, for `memoryguard config print`: secrets masked, of URLs the password alone. */
export const printableConfig = (env: NodeJS.ProcessEnv): Record<string, string> => {
  const values = parseVariables(env)
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      if (value === undefined) return [name, '']
      if (!variables[name as VariableName].secret) return [name, String(value)]
      return [name, name.endsWith('_URL') ? maskUrl(String(value)) : mask]
    }),
  )
}
