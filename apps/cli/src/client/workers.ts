import { CommandError } from '../command-error.js'
import type { RestClient } from './rest-client.js'

/** A worker as the API shows it. */
export interface WorkerRow {
  readonly name: string
  readonly state: string
  readonly queues: readonly string[]
  readonly tasks: readonly string[]
  readonly models: readonly string[]
  readonly stats: Readonly<Record<string, number>>
  /** Limits set by commands, by task. */
  readonly limits: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Other live processes of this name. */
  readonly duplicates: number
  readonly versions: Readonly<Record<string, string>>
  readonly pool: string
  readonly concurrency: number
  readonly pid: number
  readonly hostname: string
  readonly started_at: string
  readonly heartbeat_at: string
}

const isAlive = ({ state }: WorkerRow): boolean => state !== 'stopped'

/** The workers that have not stopped. */
export const listLiveWorkers = async (client: RestClient): Promise<readonly WorkerRow[]> => {
  const { body } = await client.send({ path: '/v1/workers' })
  return (body as { readonly items: readonly WorkerRow[] }).items.filter(isAlive)
}

/**
 * The workers that have not stopped, or those of `destination`: names separated by commas.
 * @throws {CommandError} without any, or for a name that no worker has.
 */
export const findWorkers = async (client: RestClient, destination?: string): Promise<readonly WorkerRow[]> => {
  const alive = await listLiveWorkers(client)
  if (destination === undefined) {
    if (alive.length === 0) throw new CommandError('No worker has reported. Start one: memoryguard worker')
    return alive
  }
  return destination.split(',').map((name) => {
    const worker = alive.find((candidate) => candidate.name === name.trim())
    if (!worker) throw new CommandError(`There is no worker ${name.trim()}. "memoryguard status" lists them.`)
    return worker
  })
}

/** Sends a command to a worker. Returns its response, or that there is none yet. */
export const sendCommand = async (
  client: RestClient,
  { name }: WorkerRow,
  command: string,
  args: Readonly<Record<string, unknown>> = {},
): Promise<unknown> => {
  const path = `/v1/workers/${encodeURIComponent(name)}/${command}`
  const { body } = await client.send({ method: 'POST', path, body: args })
  const { acknowledged, answer } = body as { readonly acknowledged: boolean; readonly answer: unknown }
  return acknowledged ? answer : 'no response yet'
}
