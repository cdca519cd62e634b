import { queryNumber } from './query.js'
import type { Answer, Stack } from './stack.js'

const dayMs = 86_400_000

/** The day so many days ago, as a date. */
export const daysAgo = (days: number): string => new Date(Date.now() - days * dayMs).toISOString().slice(0, 10)

export const pathOfUser = (user: number | string): string => `/v1/users/${user}`

/** Records a measurement of a person. */
export const recordMetrics = (
  stack: Stack,
  user: number,
  body: { readonly recorded_at: unknown; readonly health_metrics: unknown },
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> => stack.post(`${pathOfUser(user)}/health-metrics`, body, headers)

/** Rows of measurements, forecasts and tasks. */
export const countOfUsers = (stack: Stack): Promise<number> =>
  queryNumber(
    stack.databaseUrl,
    `SELECT (SELECT count(*) FROM tasks)::int + (SELECT count(*) FROM forecasts)::int
       + (SELECT count(*) FROM health_metrics)::int AS number`,
  )
