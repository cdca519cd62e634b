import type { BrokerAddress, HostAndPort } from './broker-address.js'
import { fault, type Parsed } from './parsed.js'

type Kind = BrokerAddress['kind']

/** What stands in a URL between its scheme and its query, decoded. */
interface UrlParts {
  readonly hosts: readonly [HostAndPort, ...HostAndPort[]]
  readonly username: string | undefined
  readonly password: string | undefined
  /** With its first slash. */
  readonly path: string
  readonly query: string
}

const defaultPorts = { node: 6379, cluster: 6379, sentinel: 26_379 } as const

/** The options after `?` that each kind of URL may have. */
const knownOptions = {
  node: ['family'],
  cluster: ['family'],
  sentinel: ['family', 'sentinel_username', 'sentinel_password'],
} as const

/** The values of the options of a URL. */
interface UrlOptions {
  readonly family: BrokerAddress['family']
  readonly sentinelUsername: string | undefined
  readonly sentinelPassword: string | undefined
}

const families: Readonly<Record<string, BrokerAddress['family']>> = { '0': 0, '4': 4, '6': 6 }

const needsEncoding = 'in a password write @ as %40, / as %2F, ? as %3F, # as %23'

/** Splits a URL that may name several hosts. `{example}` in a fault stands for a URL of its kind. */
export const splitUrl = (text: string, kind: Kind): Parsed<UrlParts> => {
  const [, authority = '', path = '', query = '', hash] =
    /^[a-z+]+:\/\/([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?(#.*)?$/s.exec(text) ?? []
  const at = authority.lastIndexOf('@')
  const userInfo = authority.slice(0, Math.max(0, at))
  const list = authority.slice(at + 1)
  const [username, password] = userInfo.split(/:(.*)/s, 2).map(decode)
  if (username === undefined || (userInfo.includes(':') && password === undefined)) {
    return fault('has a % in its user or password that is not followed by two hexadecimal digits; write it as %25')
  }
  if (hash !== undefined) return fault(`must not contain #; ${needsEncoding}`)
  if (list === '') return fault('must name a host, such as {example}')
  const names = list.split(',')
  if (kind === 'node' && names.length > 1) {
    return fault('names several hosts; write redis+cluster:// for a cluster, redis+sentinel:// for sentinels')
  }
  const hosts = names.map((name) => readHost(name, defaultPorts[kind]))
  const [first, ...others] = hosts.filter((host) => host !== undefined)
  if (first === undefined || hosts.includes(undefined)) {
    return fault(`must be a URL such as {example}, each port from 1 to 65535; ${needsEncoding}`)
  }
  return { hosts: [first, ...others], username: username || undefined, password: password || undefined, path, query }
}

/** Reads the options after `?`. */
export const readQuery = (query: string, kind: Kind): Parsed<UrlOptions> => {
  const options = new URLSearchParams(query)
  const known: readonly string[] = knownOptions[kind]
  const family = families[options.get('family') ?? '0']
  if (family === undefined || [...options.keys()].some((name) => !known.includes(name))) {
    const more = kind === 'sentinel' ? ', sentinel_username=NAME and sentinel_password=PASSWORD' : ''
    return fault(`has an option after ? that is not known; there may be family=4 or family=6${more}`)
  }
  return {
    family,
    sentinelUsername: options.get('sentinel_username') || undefined,
    sentinelPassword: options.get('sentinel_password') || undefined,
  }
}

const readHost = (text: string, defaultPort: number): HostAndPort | undefined => {
  const url = `redis://${text}`
  if (text === '' || !URL.canParse(url)) return undefined
  const { hostname, port, pathname, username } = new URL(url)
  if (hostname === '' || port === '0' || pathname !== '' || username !== '') return undefined
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || defaultPort) }
}

const decode = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
