import { Command } from 'commander'
import { print } from '../output.js'
import { callsApi, path } from './api-command.js'

interface EventsFlags {
  readonly name?: string
  readonly queue?: string
  readonly state?: string
  readonly json?: true
}

/** The data of an event; progress has only some of it. */
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
export const eventsCommand = (): Command =>
  callsApi(
    new Command('events')
      .description('follow what happens to tasks; with --json one object a line')
      .argument('[id]', 'only this task, from its first change to its end')
      .option('--name <task>', 'only tasks of this name')
      .option('-Q, --queue <queue>', 'only tasks of this queue')
      .option('--state <states>', 'only these states, separated by commas'),
    async (client, [id]: [string?], { name, queue, state, json }: EventsFlags) => {
      const { followEvents } = await import('../client/follow-events.js')
      const filters = new URLSearchParams()
      for (const [key, value] of Object.entries({ name, queue, state }))
        if (value !== undefined) filters.set(key, value)
      const stream = id === undefined ? `/v1/events?${filters.toString()}` : path`/v1/tasks/${id}/events`
      const isLast = ({ event }: { readonly event: string }) => id !== undefined && endings.includes(event)
      for await (const { event, data } of followEvents(client, stream, isLast)) {
        print(json ? JSON.stringify({ event, ...(data as EventData) }) : lineOf(event, data as EventData))
      }
    },
  )

const lineOf = (event: string, data: EventData): string => {
  const { at, task_id: task, name, worker, error_code: code, percent, stage } = data
  const word = event.replace('task.', '')
  const done = percent === undefined || percent === null ? undefined : `${percent} % ${stage ?? ''}`
  const notes = [name, worker, code, done].filter((note) => typeof note === 'string' && note !== '')
  return [at ?? new Date().toISOString(), word.padEnd(9), task, ...notes].join('  ')
}
