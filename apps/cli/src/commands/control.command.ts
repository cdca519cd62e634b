import { Command } from 'commander'
import { callsApi, group, path } from './api-command.js'
import { parseNumber } from './parse-flags.js'

/** A subcommand that workers carry out: its arguments by the names in the request, in order. */
interface Control {
  readonly description: string
  readonly args?: readonly (readonly [name: string, syntax: string, parse?: (text: string) => unknown])[]
}

const count: Control['args'] = [['n', '[n]', parseNumber]]

/** The words are Celery's. */
const controls: Readonly<Record<string, Control>> = {
  shutdown: { description: 'finish running tasks, then stop' },
  pool_grow: { description: 'add compute children', args: count },
  pool_shrink: { description: 'remove compute children', args: count },
  pool_restart: { description: 'replace every compute child' },
  add_consumer: { description: 'consume a queue', args: [['queue', '<queue>']] },
  cancel_consumer: { description: 'consume a queue no longer', args: [['queue', '<queue>']] },
  rate_limit: {
    description: 'space the starts of a task: 10/m; 0 for no limit',
    args: [
      ['task', '<task>'],
      ['rate', '<rate>'],
    ],
  },
  time_limit: {
    description: 'limits of a task, in seconds',
    args: [
      ['task', '<task>'],
      ['soft', '<soft>', parseNumber],
      ['hard', '[hard]', parseNumber],
    ],
  },
}

const workerControl = (name: string, { description, args = [] }: Control): Command => {
  const command = new Command(name)
    .description(description)
    .option('-d, --destination <workers>', 'only these workers, separated by commas (default: all)')
  for (const [, syntax, parse] of args) {
    if (parse) command.argument(syntax, '', parse)
    else command.argument(syntax)
  }
  return callsApi(command, async (client, values, flags: { readonly destination?: string }) => {
    const { findWorkers, sendCommand } = await import('../client/workers.js')
    // Those that were not given are undefined, and so are left out of the request.
    const body = Object.fromEntries(args.map(([key], index) => [key, values[index]]))
    const responses: Record<string, unknown> = {}
    for (const worker of await findWorkers(client, flags.destination)) {
      responses[worker.name] = await sendCommand(client, worker, name.replaceAll('_', '-'), body)
    }
    return {
      json: responses,
      lines: Object.entries(responses).map(([worker, response]) => `-> ${worker}: ${JSON.stringify(response)}`),
    }
  })
}

const revocation = (name: string, description: string, terminate: boolean): Command =>
  callsApi(
    new Command(name).description(description).argument('<ids...>', 'ids of tasks'),
    async (client, [ids]: [string[]]) => {
      const states: Record<string, string> = {}
      for (const id of ids) {
        const { body } = await client.send({ method: 'POST', path: path`/v1/tasks/${id}/revoke`, body: { terminate } })
        states[id] = (body as { readonly state: string }).state
      }
      return { json: states, lines: Object.entries(states).map(([id, state]) => `${id}  ${state}`) }
    },
  )

/** `memoryguard control`: sends commands to workers, and revokes tasks, as `celery control` does. */
export const controlCommand = (): Command =>
  group('control', 'send commands to workers, or revoke tasks', [
    ...Object.entries(controls).map(([name, control]) => workerControl(name, control)),
    revocation('revoke', 'keep tasks from running, or end them if they run', false),
    revocation('terminate', 'revoke tasks, and kill what computes them after the grace', true),
  ])
