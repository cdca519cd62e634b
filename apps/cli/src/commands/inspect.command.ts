import { Command, Option } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import type { RestClient } from '../client/rest-client.js'
import type { WorkerRow } from '../client/workers.js'
import { print, printJson } from '../output.js'
import { withConnection } from './connection-options.js'

interface InspectFlags extends ConnectionFlags {
  readonly destination?: string
  readonly json?: true
}

/** What a subcommand tells of one worker. */
type Inspect = (client: RestClient, worker: WorkerRow, args: readonly string[]) => unknown

/** Most tasks that a subcommand lists. */
const listed = 500

/** The newest tasks that fit a query, as rows of their main columns. */
const listTasks = async (client: RestClient, query: Readonly<Record<string, string>>): Promise<readonly unknown[]> => {
  const search = new URLSearchParams({ ...query, limit: String(listed) })
  const { body } = await client.send({ path: `/v1/tasks?${search.toString()}` })
  const { items } = body as { readonly items: readonly Readonly<Record<string, unknown>>[] }
  return items.map(({ id, name, queue, state, args, worker, started_at, available_at }) => ({
    id,
    name,
    queue,
    state,
    args,
    worker,
    started_at,
    available_at,
  }))
}

const inspections: Readonly<Record<string, readonly [description: string, inspect: Inspect]>> = {
  ping: [
    'ask over the control bus whether it is there',
    async (client, worker) => (await import('../client/workers.js')).tellWorker(client, worker, 'ping'),
  ],
  active: ['tasks that run', (client, { name }) => listTasks(client, { state: 'running', worker: name })],
  scheduled: ['tasks that wait for their time', (client) => listTasks(client, { state: 'scheduled' })],
  reserved: ['tasks that wait for a worker', (client) => listTasks(client, { state: 'queued,retrying' })],
  revoked: ['tasks that were revoked', (client) => listTasks(client, { state: 'cancelled' })],
  registered: ['tasks it can run', (_, { tasks }) => tasks],
  stats: [
    'counters, pool and limits set by control',
    (_, { stats, limits, duplicates, pool, concurrency, pid, hostname, started_at: startedAt }) => ({
      ...stats,
      limits,
      duplicates,
      pool,
      concurrency,
      pid,
      hostname,
      started_at: startedAt,
    }),
  ],
  active_queues: ['queues it consumes', (_, { queues }) => queues],
  query_task: [
    'tasks by their ids',
    async (client, _, ids) =>
      Promise.all(ids.map(async (id) => (await client.send({ path: `/v1/tasks/${encodeURIComponent(id)}` })).body)),
  ],
  report: ['versions, models and state', (_, worker) => worker],
}

/** Subcommands whose answer is of the database and not of one worker: told once. */
const global = new Set(['scheduled', 'reserved', 'revoked', 'query_task'])

/** `memoryguard inspect`: what the workers do, as `celery inspect` shows it. */
export function inspectCommand(): Command {
  const command = new Command('inspect').description('show what the workers do')
  for (const [name, [description, inspect]] of Object.entries(inspections)) {
    const subcommand = new Command(name)
      .description(description)
      .addOption(new Option('-d, --destination <workers>', 'only these workers, separated by commas'))
    if (name === 'query_task') subcommand.argument('<ids...>', 'ids of tasks')
    withConnection(subcommand).action(async (...given: unknown[]) => {
      const [flags] = given.slice(-2) as [InspectFlags, Command]
      const ids = name === 'query_task' ? (given[0] as string[]) : []
      const { connect } = await import('../client/connect.js')
      const { findWorkers } = await import('../client/workers.js')
      const client = connect(flags)
      const workers = await findWorkers(client, flags.destination)
      const asked = global.has(name) ? workers.slice(0, 1) : workers
      const answers = await Promise.all(
        asked.map(
          async (worker) => [global.has(name) ? 'tasks' : worker.name, await inspect(client, worker, ids)] as const,
        ),
      )
      if (flags.json) return printJson(Object.fromEntries(answers))
      for (const [title, answer] of answers) {
        print(`-> ${title}`)
        printJson(answer)
      }
    })
    command.addCommand(subcommand)
  }
  return command
}
