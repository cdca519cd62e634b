import type { Config, QueueName } from '#libs/platform'
import { Queue } from 'bullmq'
import { brokerOptions } from './broker-options.js'

/** BullMQ's queue of each of ours, on the producer's side. */
export type Queues = Readonly<Record<QueueName, Queue>>

/** Makes the queues, each with a connection of its own. */
export const createQueues = (config: Config): Queues => {
  const options = brokerOptions(config, 'producer')
  return {
    predictions: new Queue('predictions', options),
    batch: new Queue('batch', options),
    explanations: new Queue('explanations', options),
    forecasts: new Queue('forecasts', options),
  }
}
