import { nameOfHost, type BrokerAddress, type HostAndPort, type SentinelAddress } from '#libs/platform'
import { configInvalid, type NamedRedis } from './explain-failure.js'
import { withDialog } from './explained-dialog.js'
import { firstToSucceed } from './first-to-succeed.js'
import { RedisReplyError, type RedisReply } from './redis-reply.js'

/**
 * Asks the sentinels, all at once, for the master.
 * @throws MemoryGuardError CONFIG_INVALID if they do not know it or are none, BROKER_UNAVAILABLE if none responds.
 */
export const findMaster = (
  address: BrokerAddress,
  { masterName, username, password }: SentinelAddress,
  { variable }: NamedRedis,
): Promise<HostAndPort> => {
  const sentinel: NamedRedis = {
    name: 'The sentinel',
    variable,
    neededRights: 'ACL SETUSER name +auth +ping +info +sentinel|get-master-addr-by-name +sentinel|sentinels',
    passwordAdvice: 'Set BROKER_SENTINEL_PASSWORD.',
  }
  return firstToSucceed(
    address.hosts.map((host) =>
      withDialog({ ...address, ...host, username, password }, sentinel, async (dialog) => {
        const reply = await dialog
          .ask('SENTINEL', 'get-master-addr-by-name', masterName)
          .catch(explainNoSentinel(host, variable))
        const master = toHost(reply)
        if (master) return master
        throw configInvalid(
          `The sentinel at ${nameOfHost(host)} does not know a master ${masterName}. Correct the name after the hosts in ${variable}.`,
        )
      }),
    ),
  )
}

const explainNoSentinel =
  (host: HostAndPort, variable: string) =>
  (error: unknown): never => {
    if (!(error instanceof RedisReplyError && /unknown command/i.test(error.message))) throw error
    throw configInvalid(
      `A Redis responds at ${nameOfHost(host)}, not a sentinel. Name the sentinels in ${variable}, or write redis:// for a single Redis.`,
      error,
    )
  }

const toHost = (reply: RedisReply): HostAndPort | undefined => {
  const [host, port] = Array.isArray(reply) ? (reply as readonly RedisReply[]) : []
  return typeof host === 'string' ? { host, port: Number(port) } : undefined
}
