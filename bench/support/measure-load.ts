import { cpuSecondsOf } from './cpu-time.js'
import { runLoad, type Load } from './run-load.js'
import { queryNumber } from '../../test/support/query.js'
import type { Stack } from '../../test/support/stack.js'
import { waitFor } from '../../test/support/wait-for.js'

/** CPU seconds by part. */
const readCpu = ({ api, workers, redis, postgresPid }: Stack): Readonly<Record<string, number>> => ({
  api: cpuSecondsOf(api.pid),
  worker: workers.reduce((total, { pid }) => total + cpuSecondsOf(pid), 0),
  ...(redis && { redis: cpuSecondsOf(redis.pid) }),
  postgres: cpuSecondsOf(postgresPid),
})

/** Sends predictions and waits until each has its stored result; with the CPU time of each part for a prediction. */
export const measureLoad = async (stack: Stack, wanted: Omit<Load, 'url' | 'key'>) => {
  const { requests } = wanted
  const last = await queryNumber(stack.databaseUrl, 'SELECT coalesce(max(id), 0)::int AS number FROM predictions')
  const stored = 'SELECT count(*)::int AS number FROM predictions WHERE id > $1 AND risk_score IS NOT NULL'
  const before = readCpu(stack)
  const startedAt = performance.now()
  const load = await runLoad({ url: stack.url, key: stack.key, ...wanted })
  const postedAt = performance.now()
  await waitFor(async () => (await queryNumber(stack.databaseUrl, stored, [last])) >= requests, {
    what: 'every result',
    timeoutMs: 300_000,
    intervalMs: 10,
  })
  const endedAt = performance.now()
  const cpuMicroseconds = Object.entries(readCpu(stack)).map(([part, total]) => {
    const used = total - (before[part] ?? 0)
    return [part, Math.round((used * 1e6) / requests)] as const
  })
  return {
    seconds: Number(((endedAt - startedAt) / 1000).toFixed(2)),
    tail: Number(((endedAt - postedAt) / 1000).toFixed(2)),
    perSecond: Math.round((requests * 1000) / (endedAt - startedAt)),
    cpuMicroseconds: {
      ...Object.fromEntries(cpuMicroseconds),
      sum: cpuMicroseconds.reduce((sum, [, each]) => sum + each, 0),
    },
    load,
  }
}
