export { keyPrefix } from './explain-failure.js'
export * from './probe-redis.js'
