/**
 * A closed-loop HTTP load generator that costs little itself: raw sockets, one request in flight on each, and no
 * parsing beyond the status and the length. Runs as a process of its own:
 *
 *   node load-generator.js URL KEY REQUESTS CONNECTIONS [WAIT_SECONDS]
 *
 * and prints one line of JSON, a `LoadResult`.
 */
import { connect } from 'node:net'

const [url = '', key = '', requestText = '0', connectionText = '1', waitText = '0'] = process.argv.slice(2)
const { hostname, port } = new URL(url)
const total = Number(requestText)
const connections = Number(connectionText)
const prefer = Number(waitText) > 0 ? `Prefer: wait=${waitText}\r\n` : ''

const bodyOf = (index: number): string =>
  JSON.stringify({
    user_id: (index % 100_000) + 1,
    health_metrics: {
      mmse_score: 10 + (index % 21),
      age: 55 + (index % 40),
      sex: index % 2,
      education_years: 6 + (index % 12),
      nwbv: 0.65 + (index % 20) / 100,
    },
  })

const requestOf = (index: number): string => {
  const body = bodyOf(index)
  return (
    `POST /v1/predictions HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${key}\r\n${prefer}` +
    `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
}

let sent = 0
let received = 0
const statuses: Record<string, number> = {}
const latencies = new Float64Array(total)
const startedAt = performance.now()

const finish = (): void => {
  const seconds = (performance.now() - startedAt) / 1000
  const sorted = latencies.subarray(0, received).sort()
  const percentile = (share: number) => sorted[Math.min(received - 1, Math.floor(received * share))]
  const { user, system } = process.cpuUsage()
  const cpuMicroseconds = Math.round((user + system) / total)
  const result = { seconds, statuses, cpuMicroseconds, p50Ms: percentile(0.5), p99Ms: percentile(0.99) }
  process.stdout.write(`${JSON.stringify(result)}\n`)
  process.exit(0)
}

for (let index = 0; index < connections; index += 1) {
  const socket = connect(Number(port), hostname)
  socket.setNoDelay(true)
  let sentAt = 0
  let pending = ''
  const send = () => {
    if (sent >= total) return
    sentAt = performance.now()
    socket.write(requestOf(sent++))
  }
  socket.on('connect', send)
  socket.on('error', (error) => {
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  })
  socket.on('data', (chunk) => {
    pending += chunk.toString('latin1')
    const headEnd = pending.indexOf('\r\n\r\n')
    if (headEnd < 0) return
    const length = Number(/content-length: (\d+)/i.exec(pending)?.[1] ?? 0)
    if (pending.length < headEnd + 4 + length) return
    const status = pending.slice(9, 12)
    statuses[status] = (statuses[status] ?? 0) + 1
    pending = ''
    latencies[received++] = performance.now() - sentAt
    if (received === total) finish()
    else send()
  })
}
