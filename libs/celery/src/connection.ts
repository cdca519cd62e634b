import { MemoryGuardError, parseCeleryUrl, redisOptions, withinTime, type CeleryAddress } from '#libs/platform'
import { Redis, type RedisOptions } from 'ioredis'

/** Longest time until a connection is made, until a command has its reply, and between two attempts, in milliseconds. */
const connectMs = 5_000
const commandMs = 10_000
/** A connection that does not respond for so long leads nowhere any more, in milliseconds. */
const silenceMs = 5_000
const longestRetryMs = 1_000

/** Where the calls and the results of Celery are. */
export interface CeleryUrls {
  readonly brokerUrl: string
  readonly resultBackend: string
}

const addressOf = (name: string, url: string): CeleryAddress => {
  const parsed = parseCeleryUrl(url)
  if ('fault' in parsed) throw new MemoryGuardError('CONFIG_INVALID', `${name} ${parsed.fault}.`)
  return parsed.address
}

const retryStrategy = (times: number): number => Math.min(50 * times, longestRetryMs)

const optionsOf = (address: CeleryAddress): RedisOptions => ({
  ...redisOptions(address),
  lazyConnect: true,
  connectTimeout: connectMs,
  retryStrategy,
  sentinelRetryStrategy: retryStrategy,
  sentinelCommandTimeout: silenceMs,
  // A connection may outlive a failover: it leads to what is a replica now.
  reconnectOnError: ({ message }: Error) => message.startsWith('READONLY'),
})

/** An error is a response too: that of a connection which was closed meanwhile. */
const heard = (): boolean => false

/** Connections to the Redis of Celery's calls and to that of its results. None is made before it is used. */
export class CeleryConnections {
  /** Commands to the broker. One that has no reply within 10 s fails. */
  readonly broker: Redis
  /** Commands to the result backend. */
  readonly backend: Redis
  /** Number of the broker's database: it stands in the names of channels. */
  readonly database: number
  private readonly brokerAddress: CeleryAddress
  private readonly backendAddress: CeleryAddress
  private readonly subscribers: Redis[] = []

  /** @throws {MemoryGuardError} CONFIG_INVALID when a URL cannot be used. */
  constructor(
    urls: CeleryUrls,
    /** Called with the errors of connections, which are tried again for ever. */
    private readonly onError: (error: Error) => void = () => undefined,
  ) {
    this.brokerAddress = addressOf('CELERY_BROKER_URL', urls.brokerUrl)
    this.backendAddress = addressOf('CELERY_RESULT_BACKEND', urls.resultBackend)
    this.database = this.brokerAddress.database
    const command = { maxRetriesPerRequest: 1, commandTimeout: commandMs }
    this.broker = this.open({ ...optionsOf(this.brokerAddress), ...command })
    this.backend = this.open({ ...optionsOf(this.backendAddress), ...command })
  }

  /** A key or channel of the broker, with `global_keyprefix`. */
  key(name: string): string {
    return this.brokerAddress.keyPrefix + name
  }

  /** A key or channel of the result backend, with `global_keyprefix`. */
  backendKey(name: string): string {
    return this.backendAddress.keyPrefix + name
  }

  /** A further connection to the broker, for subscriptions: it subscribes again after every reconnect. */
  subscriber(): Redis {
    const subscriber = this.open({ ...optionsOf(this.brokerAddress), maxRetriesPerRequest: null })
    this.subscribers.push(subscriber)
    return subscriber
  }

  /** Connects commands. @throws the first error of either server. */
  async connect(): Promise<void> {
    await Promise.all(
      [this.broker, this.backend].map((redis) => (redis.status === 'wait' ? redis.connect() : redis.ping())),
    )
  }

  /**
   * Opens those connections anew over which nothing comes back: the other end may have vanished without a word, and then
   * a subscription would wait for ever. Returns how many there were.
   */
  async renewSilent(): Promise<number> {
    const open = this.all.filter(({ status }) => status === 'ready')
    const isSilent = (redis: Redis) => withinTime(redis.ping().then(heard, heard), silenceMs, true)
    const silences = await Promise.all(open.map(isSilent))
    const silent = open.filter((_redis, index) => silences[index])
    for (const redis of silent) redis.disconnect(true)
    return silent.length
  }

  close(): void {
    for (const redis of this.all) redis.disconnect()
  }

  private get all(): readonly Redis[] {
    return [this.broker, this.backend, ...this.subscribers]
  }

  private open(options: RedisOptions): Redis {
    const redis = new Redis(options)
    redis.on('error', this.onError)
    return redis
  }
}
