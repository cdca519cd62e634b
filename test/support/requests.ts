import { expect } from 'vitest'
import { queryNumber } from './query.js'
import type { HttpResponse, Stack } from './stack.js'

/** A prediction that the default model calls a very high risk. */
export const example = { user_id: 123, health_metrics: { mmse_score: 24, age: 72 } }

/** `mmse_score` for about a second of work by the slow model of the tests. */
export const second = 3

/** A prediction by the slow model; `work` is its `mmse_score`. */
export const slowly = (work: number) => ({ user_id: 1, health_metrics: { mmse_score: work }, model: 'slow' })

/** The same as a call of its task. */
export const slowTask = (work: number) => ({ name: 'ml.process_prediction', args: slowly(work) })

/** The header of a caller who waits for the result. */
export const waiting = { prefer: 'wait=20' }

export const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The header of a caller with another key than the stack's own. */
export const bearer = (key: unknown) => ({ authorization: `Bearer ${String(key)}` })

export const itemsOf = (response: HttpResponse) => response.body['items'] as Record<string, unknown>[]

/** Rows that submissions have stored. */
export const countSubmissions = (stack: Stack): Promise<number> =>
  queryNumber(
    stack.databaseUrl,
    'SELECT (SELECT count(*) FROM tasks)::int + (SELECT count(*) FROM predictions)::int AS number',
  )

/** Checks that an error has the form of RFC 9457 with the members of ours. */
export const expectProblem = ({ headers, body }: HttpResponse): void => {
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/)
  expect(Object.keys(body).sort()).toEqual(['code', 'detail', 'errors', 'request_id', 'status', 'title', 'type'])
  expect(body['request_id']).toBe(headers.get('x-request-id'))
  expect(body['detail']).toEqual(expect.stringMatching(/./))
}
