export type { BrokerFacts, RedisFacts } from './broker-facts.js'
export { probeCelery, probeRedis } from './probe-redis.js'
export { keyPrefixOf } from './probed-redis.js'
