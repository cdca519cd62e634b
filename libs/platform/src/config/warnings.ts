import { variables } from './variables.js'

/** Read by the command line's client and by tools beside the configuration of the servers. */
const otherNames = ['MEMORYGUARD_API_KEY']

/** Prefixes that are ours: an unknown name with one of them is a mistake. */
const ownPrefixes = /^(MEMORYGUARD|RATE_LIMIT|TASK|WORKER|WEBHOOK|DATABASE|BROKER|OIDC|CELERY)_/

/** Whether Kubernetes sets the variable for a service of the namespace, which may have any name. */
const isServiceLink = (name: string, value: string): boolean =>
  /_SERVICE_(HOST|PORT)(_\w+)?$|_PORT_\d+_(TCP|UDP)(_\w+)?$/.test(name) || /^(tcp|udp):\/\//.test(value)

/** Settings of other versions or systems that have no effect here, and what to do instead. */
const withoutEffect: readonly (readonly [pattern: RegExp, advice: string])[] = [
  [
    /^OTEL_(?!EXPORTER_OTLP_(ENDPOINT|HEADERS)$|TRACES_SAMPLER_ARG$|SERVICE_NAME$)/,
    'of OpenTelemetry, only traces by OTLP over HTTP are part of this version; see docs/configuration.md. Metrics are at /metrics.',
  ],
]

/** Shorter names are like too many others. */
const shortestGuess = 8

/** Number of letters to insert, remove, replace or swap with a neighbour to make one word of the other; 3 means more. */
const distance = (from: string, to: string): number => {
  if (Math.abs(from.length - to.length) > 2) return 3
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)]
  for (let row = 1; row <= from.length; row += 1) {
    const line = [row]
    for (let column = 1; column <= to.length; column += 1) {
      const [above = [], twoAbove = []] = [rows[row - 1], rows[row - 2]]
      const replaced = (above[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1)
      const isSwap = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      const swapped = isSwap && row > 1 && column > 1 ? (twoAbove[column - 2] ?? 0) + 1 : Infinity
      line.push(Math.min((above[column] ?? 0) + 1, (line[column - 1] ?? 0) + 1, replaced, swapped))
    }
    rows.push(line)
  }
  return Math.min(3, rows.at(-1)?.at(-1) ?? 3)
}

/**
 * One sentence for each variable of the environment that looks like a setting of ours but has no effect: misspelt,
 * unknown, or not part of this version. Never a value.
 */
export const configWarnings = (env: NodeJS.ProcessEnv): readonly string[] => {
  const secrets = Object.entries(variables).flatMap(([name, { secret }]) => (secret ? [`${name}_FILE`] : []))
  const known = new Set([...Object.keys(variables), ...secrets, ...otherNames])
  return Object.keys(env).flatMap((name) => {
    const value = env[name]
    if (!value || isServiceLink(name, value)) return []
    if (secrets.includes(name) && env[name.slice(0, -5)])
      return [`${name} has no effect: ${name.slice(0, -5)} is set. Give one of them.`]
    if (known.has(name)) return []
    const advice = withoutEffect.find(([pattern]) => pattern.test(name))?.[1]
    if (advice !== undefined) return [`${name} has no effect: ${advice}`]
    const upper = name.toUpperCase()
    if (name.endsWith('_FILE') && known.has(name.slice(0, -5)))
      return [`${name} has no effect: only secrets are read from files. Set ${name.slice(0, -5)}.`]
    const guess =
      name.length >= shortestGuess
        ? [...known].filter((candidate) => candidate.length >= shortestGuess).find((to) => distance(upper, to) <= 2)
        : undefined
    if (guess !== undefined) return [`${name} has no effect. Did you mean ${guess}?`]
    if (ownPrefixes.test(name))
      return [`${name} has no effect: there is no such setting. "memoryguard config print" lists them all.`]
    return []
  })
}
