import type { Config, Logger } from '#libs/platform'
import { Broker, chooseBrokerBackend, createQueues } from '#libs/tasks'

/** A broker on connections of its own, as the container of a process makes it. */
export const createBroker = (config: Config, log: Logger): Broker => {
  chooseBrokerBackend(config)
  const { predictions, batch, explanations, forecasts } = createQueues(config)
  return new Broker(config, log, predictions, batch, explanations, forecasts)
}
