import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const generator = fileURLToPath(new URL('./load-generator.js', import.meta.url))

/** What the load generator is to send, and where. */
export interface Load {
  readonly url: string
  readonly key: string
  readonly requests: number
  readonly connections: number
  /** Seconds of `Prefer: wait`; without it each request asks for the 202 alone. */
  readonly waitSeconds?: number
}

/** What the callers saw, times in milliseconds. */
export interface LoadResult {
  readonly seconds: number
  readonly statuses: Readonly<Record<string, number>>
  /** Of the generator, for each request. */
  readonly cpuMicroseconds: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Sends predictions from a process of its own, as fast as they are taken; resolves with the last response. */
export const runLoad = async ({ url, key, requests, connections, waitSeconds = 0 }: Load): Promise<LoadResult> => {
  const args = [generator, url, key, requests, connections, waitSeconds].map(String)
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let line = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (line += chunk))
  const [code] = (await once(child, 'close')) as [number]
  if (code !== 0) throw new Error(`The load generator ended with ${code}`)
  return JSON.parse(line) as LoadResult
}
