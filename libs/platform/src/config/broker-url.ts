/** Where the Redis of a `BROKER_URL` is, and who signs in. */
export interface BrokerAddress {
  readonly host: string
  readonly port: number
  readonly isSecure: boolean
  readonly username: string | undefined
  readonly password: string | undefined
  /** Number of the database on the server. */
  readonly database: number
  /** Version of IP that the host's name is resolved to; 0 for either. */
  readonly family: 0 | 4 | 6
}

const defaultPort = 6379
const families = { '0': 0, '4': 4, '6': 6 } as const

/**
 * Reads a `BROKER_URL` such as `rediss://user:password@host:6379/0`. The Redis client ignores what it does
 * not understand, and so connects elsewhere; here each such URL has a fault, which says what to write and no secret.
 */
export const parseBrokerUrl = (text: string): { readonly address: BrokerAddress } | { readonly fault: string } => {
  if (!/^rediss?:\/\//.test(text)) {
    const isSocket = /^(unix|redis\+(unix|socket)):|^\//.test(text)
    return fault(
      `must be a Redis URL, starting with redis:// or rediss://${isSocket ? '; sockets in the file system are not supported' : ''}`,
    )
  }
  if (!URL.canParse(text)) {
    return fault(
      'must be a URL such as redis://:password@host:6379/0; in a password write @ as %40, / as %2F, ? as %3F, # as %23',
    )
  }
  const url = new URL(text)
  const [username, password] = [decode(url.username), decode(url.password)]
  const family = familyOf(url)
  if (url.hostname === '') return fault('must name a host, such as redis://host:6379/0')
  if (url.port === '0') return fault('must have a port from 1 to 65535')
  if (url.hash !== '') return fault('must not contain #; in a password write it as %23')
  if (username === undefined || password === undefined) {
    return fault('has a % in its user or password that is not followed by two hexadecimal digits; write it as %25')
  }
  if (!/^\/?\d*$/.test(url.pathname)) {
    return fault('must end with the number of a database, such as /0, or with the port')
  }
  if (family === undefined) return fault('has an option after ? that is not known; only family=0, 4 or 6 is')
  return {
    address: {
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: Number(url.port || defaultPort),
      isSecure: url.protocol === 'rediss:',
      username: username || undefined,
      password: password || undefined,
      database: Number(url.pathname.slice(1)),
      family,
    },
  }
}

const fault = (words: string) => ({ fault: words })

const decode = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

const familyOf = ({ searchParams }: URL): 0 | 4 | 6 | undefined => {
  if ([...searchParams.keys()].some((key) => key !== 'family')) return undefined
  const family = searchParams.get('family') ?? '0'
  return family === '0' || family === '4' || family === '6' ? families[family] : undefined
}
