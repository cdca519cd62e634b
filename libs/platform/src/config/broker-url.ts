import type { BrokerAddress } from './broker-address.js'
import { readQuery, splitUrl } from './broker-url-parts.js'
import { fault, type Parsed } from './parsed.js'

const kinds = { '': 'node', '+cluster': 'cluster', '+sentinel': 'sentinel' } as const

const examples = {
  node: 'redis://:password@host:6379/0',
  cluster: 'redis+cluster://:password@host1:6379,host2:6379',
  sentinel: 'redis+sentinel://:password@host1:26379,host2:26379/master-name/0',
} as const

/**
 * Reads a `BROKER_URL` such as `rediss://user:password@host:6379/0`, `redis+cluster://host1:6379,host2:6379` or
 * `redis+sentinel://host1:26379,host2:26379/master-name`. The Redis client ignores what it does not understand, and so
 * connects elsewhere; here each such URL has a fault, which says what to write and no secret.
 */
export const parseBrokerUrl = (text: string): Parsed<{ readonly address: BrokerAddress }> => {
  const [, secure, form = ''] = /^redis(s?)(\+cluster|\+sentinel|):\/\//.exec(text) ?? []
  if (secure === undefined) return fault(schemeFault(text))
  const kind = kinds[form as keyof typeof kinds]
  const url = splitUrl(text, kind)
  if ('fault' in url) return fault(url.fault.replace('{example}', examples[kind]))
  const path = readPath(kind, url.path)
  if ('fault' in path) return path
  const options = readQuery(url.query, kind)
  if ('fault' in options) return options
  return {
    address: {
      kind,
      hosts: url.hosts,
      isSecure: secure === 's',
      username: url.username,
      password: url.password,
      database: path.database,
      family: options.family,
      ...(path.masterName !== undefined && {
        sentinel: {
          masterName: path.masterName,
          username: options.sentinelUsername,
          password: options.sentinelPassword,
        },
      }),
    },
  }
}

const schemeFault = (text: string): string => {
  const isSocket = /^(unix|redis\+(unix|socket)):|^\//.test(text)
  if (isSocket)
    return 'must be a Redis URL, starting with redis:// or rediss://; sockets in the file system are not supported'
  const sentinel = /^(redis-sentinel|sentinel):/.test(text)
  return sentinel
    ? `must have the sentinels and the name of their master in this form: ${examples.sentinel}`
    : 'must be a Redis URL, starting with redis:// or rediss://, or with redis+cluster:// or redis+sentinel://'
}

/** What stands after the hosts. */
const readPath = (
  kind: BrokerAddress['kind'],
  path: string,
): Parsed<{ readonly database: number; readonly masterName?: string }> => {
  switch (kind) {
    case 'node':
      return /^\/?\d*$/.test(path)
        ? { database: Number(path.slice(1)) }
        : fault('must end with the number of a database, such as /0, or with the port')
    case 'cluster':
      return /^\/?0?$/.test(path)
        ? { database: 0 }
        : fault('must have nothing after the last port, for a Redis Cluster has no databases but 0')
    case 'sentinel': {
      const [, masterName, database = '0'] = /^\/([\w.-]+)(?:\/(\d*))?\/?$/.exec(path) ?? []
      return masterName === undefined
        ? fault(`must name the master that the sentinels know after the hosts: ${examples.sentinel}`)
        : { database: Number(database), masterName }
    }
  }
}
