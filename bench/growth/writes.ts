import { query, queryNumber } from '../../test/support/query.js'
import type { Stack } from '../../test/support/stack.js'
import { waitFor } from '../../test/support/wait-for.js'
import { cpuSecondsOf } from '../support/cpu-time.js'
import { runLoad } from '../support/run-load.js'

const connections = 128

/** What a prediction costs from POST to its stored result. */
export interface WriteCost {
  readonly perSecond: number
  /** Microseconds of CPU of PostgreSQL for each. */
  readonly postgresMicroseconds: number
  /** Of POST, in milliseconds. */
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Sends as many predictions as fast as they are taken, once to warm up and once to measure. */
export const measureWrites = async (stack: Stack, requests: number): Promise<WriteCost> => {
  await load(stack, requests)
  const cpuBefore = cpuSecondsOf(stack.postgresPid)
  const { seconds, result } = await load(stack, requests)
  const cpu = cpuSecondsOf(stack.postgresPid) - cpuBefore
  return {
    perSecond: Math.round(requests / seconds),
    postgresMicroseconds: Math.round((cpu * 1e6) / requests),
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
  }
}

const load = async (stack: Stack, requests: number) => {
  const [last] = await query<{ id: string }>(stack.databaseUrl, 'SELECT coalesce(max(id), 0) AS id FROM predictions')
  const startedAt = performance.now()
  const result = await runLoad({ url: stack.url, key: stack.key, requests, connections })
  const stored = 'SELECT count(*)::int AS number FROM predictions WHERE id > $1 AND risk_score IS NOT NULL'
  await waitFor(async () => (await queryNumber(stack.databaseUrl, stored, [last?.id ?? 0])) >= requests, {
    what: 'every result',
    timeoutMs: 300_000,
    intervalMs: 20,
  })
  const seconds = (performance.now() - startedAt) / 1000
  return { seconds, result }
}
