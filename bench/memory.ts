/**
 * Memory and start-up: PSS of a worker with two children, RSS of the api after 10,000 requests, and the time from
 * `memoryguard worker` to its first finished task.
 *
 *   npm run bench:memory
 */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { startStack } from '../test/support/stack.js'
import { waitFor } from '../test/support/wait-for.js'

const megabytes = (pid: number, what: 'Pss' | 'Rss'): number =>
  Number(new RegExp(`^${what}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) / 1024

const childrenOf = (pid: number): readonly number[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
  )

const round = (value: number) => Number(value.toFixed(1))

const stack = await startStack({ broker: 'redis', workers: 0, durable: true, logs: 'inherit' })
const database = new pg.Client(stack.databaseUrl)
await database.connect()
const stored = async (): Promise<number> => {
  const { rows } = await database.query('SELECT count(*)::int AS n FROM predictions WHERE risk_score IS NOT NULL')
  return rows[0].n
}
try {
  await stack.request('POST', '/v1/predictions', { user_id: 1, health_metrics: { mmse_score: 24, age: 72 } })
  const startedAt = performance.now()
  const starting = stack.startWorker()
  await waitFor(async () => (await stored()) === 1, { what: 'the first task', intervalMs: 5 })
  const firstTaskSeconds = (performance.now() - startedAt) / 1000
  const worker = await starting

  const generator = fileURLToPath(new URL('./support/load-generator.js', import.meta.url))
  const load = spawn(process.execPath, [generator, stack.url, stack.key, '10000', '32'], { stdio: 'ignore' })
  await once(load, 'close')
  await waitFor(async () => (await stored()) === 10_001, { what: 'every result', timeoutMs: 60_000 })

  const tree = [worker.pid, ...childrenOf(worker.pid)]
  process.stdout.write(
    `${JSON.stringify({
      firstTaskSeconds: round(firstTaskSeconds),
      workerPssMb: round(tree.reduce((total, pid) => total + megabytes(pid, 'Pss'), 0)),
      workerParts: tree.map((pid) => round(megabytes(pid, 'Pss'))),
      apiRssMb: round(megabytes(stack.api.pid, 'Rss')),
    })}\n`,
  )
} finally {
  await database.end()
  await stack.stop()
}
