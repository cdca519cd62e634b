import { queryNumber } from './query.js'
import type { HttpResponse, Stack } from './stack.js'

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
): Promise<HttpResponse> => stack.post(`${pathOfUser(user)}/health-metrics`, body, headers)

/** Rows of measurements, forecasts and tasks of a person: work that goes on for others does not change it. */
export const countRowsOf = (stack: Stack, user: number): Promise<number> =>
  queryNumber(
    stack.databaseUrl,
    `SELECT (SELECT count(*) FROM tasks WHERE user_id = ${user})::int
       + (SELECT count(*) FROM forecasts WHERE user_id = ${user})::int
       + (SELECT count(*) FROM health_metrics WHERE user_id = ${user})::int AS number`,
  )
