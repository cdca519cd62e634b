import { CommandError } from '../command-error.js'
import { warn } from '../output.js'

/**
 * Warns of settings of the broker that may lose queues.
 * @throws {CommandError} if the Redis of BROKER_URL cannot be used, in one sentence with the server's own words.
 */
export async function assertBrokerAnswers(brokerUrl: string): Promise<void> {
  const { probeRedis } = await import('#libs/tasks/broker-probe')
  try {
    const { warnings } = await probeRedis(brokerUrl)
    warnings.forEach(warn)
  } catch (cause) {
    throw new CommandError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}
