/** A host and its port. */
export interface HostAndPort {
  readonly host: string
  readonly port: number
}

/** `host:port`, with the brackets of IPv6. */
export const nameOfHost = ({ host, port }: HostAndPort): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

/** What sentinels are asked for, and who asks. */
export interface SentinelAddress {
  /** The name by which the sentinels know the master. */
  readonly masterName: string
  readonly username: string | undefined
  readonly password: string | undefined
}

/** Where the Redis of a `BROKER_URL` is, and who signs in. */
export interface BrokerAddress {
  /** One server, a Redis Cluster, or a master that sentinels know. */
  readonly kind: 'node' | 'cluster' | 'sentinel'
  /** The server; some members of the cluster; or the sentinels. */
  readonly hosts: readonly [HostAndPort, ...HostAndPort[]]
  readonly isSecure: boolean
  readonly username: string | undefined
  readonly password: string | undefined
  /** Number of the database on the server. */
  readonly database: number
  /** Version of IP that the host's name is resolved to; 0 for either. */
  readonly family: 0 | 4 | 6
  /** Present for `kind: 'sentinel'`. */
  readonly sentinel?: SentinelAddress
}
