import { MemoryGuardError } from '#libs/platform'
import { warn } from '../output.js'

/**
 * Warns of settings of the Redis of BROKER_URL that may lose queues.
 * @throws {MemoryGuardError} CONFIG_INVALID, BROKER_UNAVAILABLE if it cannot be used; `mayBeAway`: only if it never can be.
 */
export const checkRedis = async (brokerUrl: string, { mayBeAway = false } = {}): Promise<void> => {
  const { probeRedis } = await import('#libs/tasks/broker-probe')
  try {
    const { warnings } = await probeRedis(brokerUrl)
    warnings.forEach(warn)
  } catch (error) {
    if (!(mayBeAway && error instanceof MemoryGuardError && error.retryable)) throw error
    warn(error.message)
  }
}
