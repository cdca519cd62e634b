export type { BrokerFacts } from './broker-facts.js'
export { keyPrefix } from './explain-failure.js'
export { probeRedis } from './probe-redis.js'
