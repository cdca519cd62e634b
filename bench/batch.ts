/**
 * A batch from CSV to stored results: rows a second and peak memory of api and worker; then single predictions beside
 * a running batch. Everything is on the same machine.
 *
 *   npm run bench:batch -- [--broker postgres|redis] [--rows 100000] [--runs 3] [--beside]
 */
import { readdirSync, readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { cpuSecondsOf } from './support/cpu-time.js'
import { startStack, type BrokerKind } from '../test/support/stack.js'
import { waitFor } from '../test/support/wait-for.js'

const { values } = parseArgs({
  options: {
    broker: { type: 'string', default: 'postgres' },
    rows: { type: 'string', default: '100000' },
    runs: { type: 'string', default: '3' },
    beside: { type: 'boolean', default: false },
  },
})
const rows = Number(values.rows)

/** Made as it is sent, in pieces of a thousand rows. */
function* makeCsv(): Generator<string> {
  yield 'user_id,mmse_score,age,sex,education_years,nwbv\n'
  for (let start = 0; start < rows; start += 1_000) {
    let text = ''
    for (let index = start; index < Math.min(rows, start + 1_000); index += 1) {
      const nwbv = (0.65 + (index % 20) / 100).toFixed(2)
      text += `${((index * 7_919) % 1_000_003) + 1},${index % 31},${55 + (index % 40)},${index % 2},${6 + (index % 12)},${nwbv}\n`
    }
    yield text
  }
}

const membersOf = (pid: number): readonly number[] => [
  pid,
  ...readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
  ),
]

/** Proportional memory of a process and its children, in MiB. */
const pssMb = (pid: number): number =>
  membersOf(pid).reduce((total, member) => {
    try {
      const text = readFileSync(`/proc/${member}/smaps_rollup`, 'utf8')
      return total + Number(/^Pss:\s+(\d+)/m.exec(text)?.[1]) / 1024
    } catch {
      // A child was replaced between two polls.
      return total
    }
  }, 0)

const round = (value: number, digits = 1) => Number(value.toFixed(digits))

const stack = await startStack({ broker: values.broker as BrokerKind, durable: true, logs: 'inherit' })
const worker = stack.workers[0] ?? stack.api
const say = (line: object) => process.stdout.write(`${JSON.stringify({ broker: values.broker, ...line })}\n`)

const submit = async (): Promise<string> => {
  const upload = {
    method: 'POST',
    headers: { authorization: `Bearer ${stack.key}`, 'content-type': 'text/csv' },
    body: Readable.from(makeCsv()),
    duplex: 'half' as const,
  }
  const response = await fetch(`${stack.url}/v1/batches`, upload)
  const body = (await response.json()) as { id?: string }
  if (response.status !== 202 || !body.id) throw new Error(`The batch was not accepted: ${JSON.stringify(body)}`)
  return body.id
}

const isDone = async (id: string): Promise<boolean> => {
  const { body } = await stack.request('GET', `/v1/batches/${id}`)
  if (body['state'] === 'succeeded' && body['succeeded'] !== rows) throw new Error(JSON.stringify(body))
  return body['state'] === 'succeeded'
}

/** Milliseconds from POST to result of predictions, one after another, until `isOver`. */
const predict = async (isOver: () => boolean): Promise<number[]> => {
  const times: number[] = []
  while (!isOver()) {
    const startedAt = performance.now()
    const body = { user_id: 1, health_metrics: { mmse_score: 24, age: 72 } }
    const { status } = await stack.request('POST', '/v1/predictions', body, { prefer: 'wait=20' })
    if (status !== 200) throw new Error(`A prediction got ${status}`)
    times.push(performance.now() - startedAt)
    await pause(10)
  }
  return times.sort((a, b) => a - b)
}
const share = (times: readonly number[], part: number) => round(times[Math.floor(times.length * part)] ?? NaN, 2)

try {
  for (let run = 1; run <= Number(values.runs); run += 1) {
    const peak = { api: 0, worker: 0 }
    const timer = setInterval(() => {
      peak.api = Math.max(peak.api, pssMb(stack.api.pid))
      peak.worker = Math.max(peak.worker, pssMb(worker.pid))
    }, 250)
    const parts = { api: stack.api.pid, worker: worker.pid, postgres: stack.postgresPid }
    const cpu = () => Object.entries(parts).map(([part, pid]) => [part, cpuSecondsOf(pid)] as const)
    const before = new Map(cpu())
    const startedAt = performance.now()
    const id = await submit()
    const acceptedAt = performance.now()
    await waitFor(() => isDone(id), { what: 'the batch', timeoutMs: 600_000, intervalMs: 200 })
    const seconds = (performance.now() - startedAt) / 1000
    clearInterval(timer)
    const cpuMicroseconds = cpu().map(([part, total]) => [
      part,
      round(((total - (before.get(part) ?? 0)) * 1e6) / rows),
    ])
    const readAt = performance.now()
    const results = await stack.request('GET', `/v1/batches/${id}/results?format=csv`)
    say({
      run,
      rows,
      perSecond: Math.round(rows / seconds),
      uploadSeconds: round((acceptedAt - startedAt) / 1000, 2),
      computeSeconds: round(seconds - (acceptedAt - startedAt) / 1000, 2),
      cpuMicroseconds: Object.fromEntries(cpuMicroseconds),
      peakPssMb: { api: round(peak.api), worker: round(peak.worker) },
      resultsSeconds: round((performance.now() - readAt) / 1000, 2),
      resultLines: results.text.split('\n').length - 2,
    })
  }
  if (values.beside) {
    const until = Date.now() + 5_000
    const alone = await predict(() => Date.now() > until)
    let isOver = false
    const beside = predict(() => isOver)
    const id = await submit()
    await waitFor(() => isDone(id), { what: 'the batch', timeoutMs: 600_000, intervalMs: 200 })
    isOver = true
    const times = await beside
    say({
      predictions: times.length,
      aloneMs: { p50: share(alone, 0.5), p95: share(alone, 0.95) },
      besideMs: { p50: share(times, 0.5), p95: share(times, 0.95) },
    })
  }
} finally {
  await stack.stop()
}
