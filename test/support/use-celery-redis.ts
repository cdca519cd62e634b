import { afterAll, beforeAll, beforeEach } from 'vitest'
import { CeleryRedis } from './celery-redis.js'
import { startRedis, type RedisServer } from './redis-server.js'
import { startedLater } from './started-later.js'

/** A Redis of its own for the tests of a block, empty before each of them. Use it in tests and hooks only. */
export const useCeleryRedis = (): CeleryRedis => {
  let server: RedisServer | undefined
  let redis: CeleryRedis | undefined
  beforeAll(async () => {
    server = await startRedis()
    redis = new CeleryRedis(server)
  })
  beforeEach(() => redis?.empty())
  afterAll(async () => {
    redis?.close()
    await server?.stop()
  })
  return startedLater(() => redis, 'Redis')
}
