import { readFileSync } from 'node:fs'
import type { BrokerAddress } from './config/broker-address.js'
import type { CeleryAddress } from './config/celery-url.js'

/** Where a Redis is; Celery's addresses say how its certificate is checked. */
export type RedisAddress = BrokerAddress & Partial<Pick<CeleryAddress, 'checksCertificate' | 'caFile'>>

/** How TLS to a Redis is spoken. Undefined: not at all. */
export const redisTls = ({ isSecure, checksCertificate, caFile }: RedisAddress) =>
  isSecure
    ? {
        ...(checksCertificate === false && { rejectUnauthorized: false }),
        ...(caFile !== undefined && { ca: readFileSync(caFile) }),
      }
    : undefined

/**
 * Where ioredis connects, and as whom: to one server, or to the master that sentinels name. Of a cluster, these are the
 * options of the connection to each member, whose host and port ioredis adds.
 */
export const redisOptions = (address: RedisAddress) => {
  const { kind, hosts, username, password, database, family, sentinel } = address
  const [{ host, port }] = hosts
  const tls = redisTls(address)
  return {
    ...(kind === 'node' && { host, port }),
    ...(kind !== 'cluster' && { db: database }),
    ...(family !== 0 && { family }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls }),
    ...(sentinel && {
      sentinels: [...hosts],
      name: sentinel.masterName,
      ...(sentinel.username !== undefined && { sentinelUsername: sentinel.username }),
      ...(sentinel.password !== undefined && { sentinelPassword: sentinel.password }),
      ...(tls && { sentinelTLS: tls, enableTLSForSentinelMode: true }),
    }),
  }
}
