import { CommandError } from '../command-error.js'

/** @throws {CommandError} if the Redis of BROKER_URL cannot be used, in one sentence with the server's own words. */
export async function assertBrokerAnswers(brokerUrl: string): Promise<void> {
  const { probeRedis } = await import('#libs/tasks/broker-probe')
  try {
    await probeRedis(brokerUrl)
  } catch (cause) {
    throw new CommandError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}
