/** The four queues. The order is the order of every list that names them. */
export const queueNames = ['predictions', 'batch', 'explanations', 'forecasts'] as const
export type QueueName = (typeof queueNames)[number]

export const isQueueName = (text: string): text is QueueName => queueNames.some((name) => name === text)
