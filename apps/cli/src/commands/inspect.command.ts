import { Command } from 'commander'
import type { RestClient } from '../client/rest-client.js'
import { sendCommand, type WorkerRow } from '../client/workers.js'
import { callsApi, group, path } from './api-command.js'

/** What a subcommand shows of one worker. */
type Inspect = (client: RestClient, worker: WorkerRow, ids: readonly string[]) => unknown

/** Most tasks that a subcommand lists. */
const listed = 500

/** Returns those of the keys that an object has, in this order. */
const pick = <Key extends string>(from: Readonly<Record<Key, unknown>>, ...keys: readonly Key[]) =>
  Object.fromEntries(keys.map((key) => [key, from[key]]))

/** The newest tasks that fit a query, as rows of their main columns. */
const listTasks = async (client: RestClient, query: Readonly<Record<string, string>>): Promise<readonly unknown[]> => {
  const search = new URLSearchParams({ ...query, limit: String(listed) })
  const { body } = await client.send({ path: `/v1/tasks?${search.toString()}` })
  const { items } = body as { readonly items: readonly Readonly<Record<string, unknown>>[] }
  return items.map((task) => pick(task, 'id', 'name', 'queue', 'state', 'args', 'worker', 'started_at', 'available_at'))
}

const inspections: Readonly<Record<string, readonly [description: string, inspect: Inspect]>> = {
  ping: [
    'ask each worker over the control bus whether it is there',
    (client, worker) => sendCommand(client, worker, 'ping'),
  ],
  active: ['tasks that run', (client, { name }) => listTasks(client, { state: 'running', worker: name })],
  scheduled: ['tasks that wait for their time', (client) => listTasks(client, { state: 'scheduled' })],
  reserved: ['tasks that wait for a worker', (client) => listTasks(client, { state: 'queued,retrying' })],
  revoked: ['tasks that were revoked', (client) => listTasks(client, { state: 'cancelled' })],
  registered: ['tasks it can run', (_, { tasks }) => tasks],
  stats: [
    'counters, pool and limits set by control',
    (_, worker) => ({
      ...worker.stats,
      ...pick(worker, 'limits', 'duplicates', 'pool', 'concurrency', 'pid', 'hostname', 'started_at'),
    }),
  ],
  active_queues: ['queues it consumes', (_, { queues }) => queues],
  query_task: [
    'tasks by their ids',
    (client, _, ids) => Promise.all(ids.map(async (id) => (await client.send({ path: path`/v1/tasks/${id}` })).body)),
  ],
  report: ['versions, models and state', (_, worker) => worker],
}

/** Subcommands that show tasks of the database and not of one worker: shown once. */
const global = new Set(['scheduled', 'reserved', 'revoked', 'query_task'])

const inspection = (name: string, description: string, inspect: Inspect): Command => {
  const command = new Command(name)
    .description(description)
    .option('-d, --destination <workers>', 'only these workers, separated by commas')
  if (name === 'query_task') command.argument('<ids...>', 'ids of tasks')
  return callsApi(command, async (client, [ids = []]: [string[]?], flags: { readonly destination?: string }) => {
    const { findWorkers } = await import('../client/workers.js')
    const workers = await findWorkers(client, flags.destination)
    const responses = await Promise.all(
      (global.has(name) ? workers.slice(0, 1) : workers).map(
        async (worker) => [global.has(name) ? 'tasks' : worker.name, await inspect(client, worker, ids)] as const,
      ),
    )
    return {
      json: Object.fromEntries(responses),
      lines: responses.flatMap(([title, response]) => [`-> ${title}`, JSON.stringify(response, null, 2)]),
    }
  })
}

/** `memoryguard inspect`: what the workers do, as `celery inspect` shows it. */
export const inspectCommand = (): Command =>
  group(
    'inspect',
    'show what the workers do',
    Object.entries(inspections).map(([name, [description, inspect]]) => inspection(name, description, inspect)),
  )
