import type { Config, QueueName } from '#libs/platform'
import { Queue } from 'bullmq'
import { brokerOptions } from './broker-options.js'

/** BullMQ's queue of each of ours, on the producer's side. */
export type Queues = Readonly<Record<QueueName, Queue>>

/** Makes the queues, each with a connection of its own. */
export const createQueues = (config: Config): Queues => {
  const create = (name: QueueName) => new Queue(name, brokerOptions(config, 'producer', name))
  return {
    predictions: create('predictions'),
    batch: create('batch'),
    explanations: create('explanations'),
    forecasts: create('forecasts'),
  }
}
