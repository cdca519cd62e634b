/**
 * MemoryGuard beside two queues that have nothing around them, BullMQ on Redis and pg-boss on PostgreSQL: the same model and
 * the same people, one job for each, in turns on one machine. The queues neither take HTTP nor check inputs nor keep a
 * history, and one who dies under a computation takes the others with him; they compute in the worker's process. BullMQ's
 * worker runs as its guide has it, one job at once, and with 64, as many tasks as ours computes at once.
 *
 *   npm run bench:alternatives -- [--predictions 20000] [--rounds 3] [--without-pg-boss]
 *
 * pg-boss is installed in a temporary folder, in the last version for Node.js 20.
 */
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cpuSecondsOf } from './support/cpu-time.js'
import { measureLoad } from './support/measure-load.js'
import { startRedis } from '../test/support/redis-server.js'
import { startStack, type BrokerKind } from '../test/support/stack.js'
import { waitFor } from '../test/support/wait-for.js'
import { makePostgresHome, startPostgres } from '../test/support/stack-postgres.js'

const { values } = parseArgs({
  options: {
    predictions: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '3' },
    'without-pg-boss': { type: 'boolean', default: false },
  },
})
const predictions = Number(values.predictions)
const connections = 128
const pgBossVersion = '10.4.2'

interface Round {
  readonly perSecond: number
  /** Of everything but who calls over HTTP, for each prediction. */
  readonly cpuMicroseconds: number
}

interface System {
  readonly name: string
  measure(count: number): Promise<Round>
  stop(): Promise<void>
}

const startOurs = async (broker: BrokerKind): Promise<System> => {
  const stack = await startStack({ broker, durable: true, logs: 'inherit' })
  return {
    name: `MemoryGuard, ${broker}`,
    measure: async (requests) => {
      const { perSecond, cpuMicroseconds } = await measureLoad(stack, { requests, connections })
      return { perSecond, cpuMicroseconds: cpuMicroseconds.sum }
    },
    stop: () => stack.stop(),
  }
}

/**
 * A worker of a queue, and a producer for each round; `server` is the process that holds the jobs. The worker is stopped
 * between its rounds: one that asks again and again would take the processor from the others.
 */
const startQueue = async (name: string, program: string, args: readonly string[], server: number): Promise<System> => {
  const file = fileURLToPath(new URL(`./alternatives/${program}.js`, import.meta.url))
  const worker = fork(file, args)
  let completed = 0
  worker.on('message', (jobs) => (completed = Number(jobs)))
  // Its first message says that it is ready.
  await once(worker, 'message')
  worker.kill('SIGSTOP')
  return {
    name,
    measure: async (count) => {
      const expected = completed + count
      worker.kill('SIGCONT')
      const child = fork(file, [...args, String(count)])
      await once(child, 'message')
      const readCpu = () => cpuSecondsOf(worker.pid ?? 0) + cpuSecondsOf(server)
      const before = readCpu()
      const startedAt = performance.now()
      const producer = once(child, 'message')
      child.send('begin')
      await waitFor(() => completed >= expected, { what: 'every job', timeoutMs: 300_000, intervalMs: 5 })
      const seconds = (performance.now() - startedAt) / 1000
      const [cpuOfProducer] = await producer
      const used = readCpu() - before + Number(cpuOfProducer)
      worker.kill('SIGSTOP')
      return { perSecond: Math.round(count / seconds), cpuMicroseconds: Math.round((used * 1e6) / count) }
    },
    stop: async () => {
      const exited = once(worker, 'exit')
      worker.kill('SIGCONT')
      worker.disconnect()
      await exited
    },
  }
}

const startBullmq = async (concurrency: number): Promise<System> => {
  const redis = await startRedis()
  const name = `BullMQ alone, ${concurrency} at once`
  const queue = await startQueue(name, 'bullmq', [redis.url, String(concurrency)], redis.pid)
  return { ...queue, stop: () => queue.stop().then(() => redis.stop()) }
}

const startPgBoss = async (): Promise<System> => {
  const folder = mkdtempSync(join(tmpdir(), 'memoryguard-pg-boss-'))
  writeFileSync(join(folder, 'package.json'), '{}')
  execFileSync('npm', ['install', '--no-audit', '--no-fund', `pg-boss@${pgBossVersion}`], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const postgres = await startPostgres(makePostgresHome(), true)
  const queue = await startQueue('pg-boss alone', 'pg-boss', [folder, postgres.url], postgres.pid)
  const stop = async () => {
    await queue.stop()
    await postgres.stop()
    rmSync(folder, { recursive: true })
  }
  return { ...queue, stop }
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

const systems: System[] = []
try {
  systems.push(await startOurs('redis'), await startOurs('postgres'), await startBullmq(1), await startBullmq(64))
  if (!values['without-pg-boss']) systems.push(await startPgBoss())
  const measured = systems.map((): Round[] => [])
  // The first round of each is not counted.
  for (let round = 0; round <= Number(values.rounds); round += 1) {
    for (const [index, system] of systems.entries()) {
      const result = await system.measure(predictions)
      if (round > 0) measured[index]?.push(result)
    }
  }
  const rates = measured.map((rounds) => median(rounds.map(({ perSecond }) => perSecond)))
  console.table(
    systems.map(({ name }, index) => ({
      system: name,
      'predictions/s': rates[index],
      'CPU us each': median((measured[index] ?? []).map(({ cpuMicroseconds }) => cpuMicroseconds)),
      'MemoryGuard on Redis is': `${((rates[0] ?? 0) / (rates[index] ?? Number.NaN)).toFixed(1)}x`,
    })),
  )
  process.stdout.write(`${JSON.stringify({ predictions, measured })}\n`)
} finally {
  for (const system of systems) await system.stop()
}
