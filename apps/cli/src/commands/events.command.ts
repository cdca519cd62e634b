import { Command } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import { print } from '../output.js'
import { withConnection } from './connection-options.js'

interface EventsFlags extends ConnectionFlags {
  readonly name?: string
  readonly queue?: string
  readonly state?: string
  readonly json?: true
}

/** What an event tells; of progress only some of it. */
interface EventData {
  readonly task_id: string
  readonly at?: string
  readonly name?: string
  readonly worker?: string | null
  readonly error_code?: string | null
  readonly percent?: number | null
  readonly stage?: string | null
}

const endings = ['succeeded', 'failed', 'cancelled', 'timed_out', 'expired'].map((state) => `task.${state}`)

/** `memoryguard events`: what happens to tasks, as it happens, as `celery events` does. */
export function eventsCommand(): Command {
  const command = new Command('events')
    .description('follow what happens to tasks; with --json one object a line')
    .argument('[id]', 'only this task, from its first change to its end')
    .option('--name <task>', 'only tasks of this name')
    .option('-Q, --queue <queue>', 'only tasks of this queue')
    .option('--state <states>', 'only these states, separated by commas')
  return withConnection(command).action(async (id: string | undefined, flags: EventsFlags) => {
    const { connect } = await import('../client/connect.js')
    const { followEvents } = await import('../client/follow-events.js')
    const query = new URLSearchParams()
    for (const filter of ['name', 'queue', 'state'] as const) {
      const value = flags[filter]
      if (value !== undefined) query.set(filter, value)
    }
    const path = id === undefined ? `/v1/events?${query.toString()}` : `/v1/tasks/${encodeURIComponent(id)}/events`
    const isLast = ({ event }: { readonly event: string }) => id !== undefined && endings.includes(event)
    for await (const { event, data } of followEvents(connect(flags), path, isLast)) {
      if (flags.json) print(JSON.stringify({ event, ...(data as EventData) }))
      else print(lineOf(event, data as EventData))
    }
  })
}

const lineOf = (event: string, data: EventData): string => {
  const { at, task_id: task, name, worker, error_code: code, percent, stage } = data
  const word = event.replace('task.', '')
  const done = percent === undefined || percent === null ? undefined : `${percent} % ${stage ?? ''}`
  const notes = [name, worker, code, done].filter((note) => typeof note === 'string' && note !== '')
  return [at ?? new Date().toISOString(), word.padEnd(9), task, ...notes].join('  ')
}
