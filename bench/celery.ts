/**
 * Python callers: one process sends calls with `.delay()` and waits for every result with its AsyncResult; then one call
 * at a time. A worker of ours, a Celery worker whose task does nothing, and one that does what the replaced system did,
 * in turns. With the CPU time of the caller for each call: a caller that is busy all the time is what limits the rate.
 *
 *   npm run bench:celery -- [--calls 5000] [--singles 300] [--rounds 3]
 */
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { preparePython, requirementsOf } from '../test/support/celery-environment.js'
import {
  celeryFolder,
  launch,
  startGatewayWorker,
  startIdleCelery,
  startReplacedSystem,
  type CelerySystem,
} from './support/celery-systems.js'

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '5000' },
    singles: { type: 'string', default: '300' },
    rounds: { type: 'string', default: '3' },
  },
})
const [calls, singles, rounds] = [Number(values.calls), Number(values.singles), Number(values.rounds)]

/** What one round has measured, times in milliseconds. */
interface Round {
  readonly perSecond: number
  readonly callerCpu: number
  readonly workerCpu: number
  readonly p50: number
  readonly p99: number
}

interface Produced {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly latencies: readonly number[]
}

let nextId = 1

const produce = async (python: string, system: CelerySystem): Promise<Round> => {
  const before = system.readCpu()
  const child = launch(python, ['producer.py', String(nextId), String(calls), String(singles)], { ...system.urls })
  nextId += calls + singles
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  const [code] = (await once(child, 'close')) as [number]
  if (code !== 0) throw new Error(`The caller ended with ${code}`)
  const { seconds, cpuSeconds, latencies } = JSON.parse(text) as Produced
  const sorted = latencies.toSorted((a, b) => a - b)
  const percentile = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN) * 1000
  return {
    perSecond: calls / seconds,
    callerCpu: (cpuSeconds / calls) * 1000,
    workerCpu: ((system.readCpu() - before) / (calls + singles)) * 1000,
    p50: percentile(0.5),
    p99: percentile(0.99),
  }
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

const medianOf = (measured: readonly Round[]): Round => ({
  perSecond: median(measured.map(({ perSecond }) => perSecond)),
  callerCpu: median(measured.map(({ callerCpu }) => callerCpu)),
  workerCpu: median(measured.map(({ workerCpu }) => workerCpu)),
  p50: median(measured.map(({ p50 }) => p50)),
  p99: median(measured.map(({ p99 }) => p99)),
})

const python = await preparePython('bench', [requirementsOf('5.7'), `${celeryFolder}/requirements.txt`])
const systems: CelerySystem[] = []
try {
  systems.push(await startGatewayWorker(), await startIdleCelery(python))
  // The first round of each is not counted.
  systems.push(await startReplacedSystem(python, (rounds + 1) * 3 * (calls + singles)))
  const measured = systems.map((): Round[] => [])
  for (let round = 0; round <= rounds; round += 1) {
    for (const [index, system] of systems.entries()) {
      const result = await produce(python, system)
      if (round > 0) measured[index]?.push(result)
    }
  }
  const medians = measured.map(medianOf)
  const [ours] = medians
  const table = systems.map(({ name }, index) => {
    const { perSecond, callerCpu, workerCpu, p50, p99 } = medians[index] ?? Object(ours)
    return {
      worker: name,
      'calls/s': Math.round(perSecond),
      'ours is': `${((ours?.perSecond ?? 0) / perSecond).toFixed(1)}x`,
      'one call p50 ms': p50.toFixed(2),
      'p99 ms': p99.toFixed(2),
      'caller CPU ms/call': callerCpu.toFixed(3),
      'worker CPU ms/call': workerCpu.toFixed(3),
    }
  })
  console.table(table)
  process.stdout.write(`${JSON.stringify({ calls, singles, rounds, measured })}\n`)
} finally {
  for (const system of systems) await system.stop()
}
