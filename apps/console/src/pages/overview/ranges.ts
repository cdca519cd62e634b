import type { Schemas } from '../../api/client.ts'

/** What the overview shows: the last part of the time. */
export const ranges = ['15m', '1h', '6h', '24h', '7d', '30d', '90d'] as const
export type Range = (typeof ranges)[number]

export type QueueName = Schemas['QueueNow']['name']
export const queueNames = ['predictions', 'batch', 'explanations', 'forecasts'] as const satisfies readonly QueueName[]

export const rangeWords: Record<Range, string> = {
  '15m': 'Last 15 minutes',
  '1h': 'Last hour',
  '6h': 'Last 6 hours',
  '24h': 'Last 24 hours',
  '7d': 'Last 7 days',
  '30d': 'Last 30 days',
  '90d': 'Last 90 days',
}

/** How far back failures are counted. */
export const failureRanges = ['1h', '6h', '24h', '7d', '30d'] as const satisfies readonly Range[]
