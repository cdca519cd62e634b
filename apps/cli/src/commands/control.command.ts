import { Command } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import { print, printJson } from '../output.js'
import { withConnection } from './connection-options.js'
import { parseNumber } from './parse-flags.js'

interface ControlFlags extends ConnectionFlags {
  readonly destination?: string
  readonly json?: true
}

/** A subcommand that workers do: its arguments in order, and how they are told. */
interface Control {
  readonly description: string
  readonly args: readonly (readonly [syntax: string, parse?: (text: string) => unknown])[]
  readonly toBody: (values: readonly unknown[]) => Readonly<Record<string, unknown>>
}

const children: Control['args'] = [['[n]', parseNumber]]
const toCount: Control['toBody'] = ([n]) => (n === undefined ? {} : { n })

/** The words are Celery's. */
const controls: Readonly<Record<string, Control>> = {
  shutdown: { description: 'finish running tasks, then stop', args: [], toBody: () => ({}) },
  pool_grow: { description: 'add compute children', args: children, toBody: toCount },
  pool_shrink: { description: 'remove compute children', args: children, toBody: toCount },
  pool_restart: { description: 'replace every compute child', args: [], toBody: () => ({}) },
  add_consumer: { description: 'consume a queue', args: [['<queue>']], toBody: ([queue]) => ({ queue }) },
  cancel_consumer: { description: 'consume a queue no longer', args: [['<queue>']], toBody: ([queue]) => ({ queue }) },
  rate_limit: {
    description: 'space the starts of a task: 10/m; 0 for no limit',
    args: [['<task>'], ['<rate>']],
    toBody: ([task, rate]) => ({ task, rate }),
  },
  time_limit: {
    description: 'limits of a task, in seconds',
    args: [['<task>'], ['<soft>', parseNumber], ['[hard]', parseNumber]],
    toBody: ([task, soft, hard]) => ({ task, soft, ...(hard !== undefined && { hard }) }),
  },
}

/** `memoryguard control`: tells workers what to do, and revokes tasks, as `celery control` does. */
export function controlCommand(): Command {
  const command = new Command('control').description('send commands to workers, or revoke tasks')
  for (const [name, control] of Object.entries(controls)) command.addCommand(workerControl(name, control))
  command.addCommand(revokeCommand('revoke', 'keep tasks from running, or end them if they run', false))
  command.addCommand(revokeCommand('terminate', 'revoke tasks, and kill what computes them after the grace', true))
  return command
}

function workerControl(name: string, { description, args, toBody }: Control): Command {
  const command = new Command(name)
    .description(description)
    .option('-d, --destination <workers>', 'only these workers, separated by commas (default: all)')
  for (const [syntax, parse] of args) {
    if (parse) command.argument(syntax, '', parse)
    else command.argument(syntax)
  }
  return withConnection(command).action(async (...given: unknown[]) => {
    const [flags] = given.slice(-2) as [ControlFlags, Command]
    const { connect } = await import('../client/connect.js')
    const { findWorkers, tellWorker } = await import('../client/workers.js')
    const client = connect(flags)
    const answers: Record<string, unknown> = {}
    for (const worker of await findWorkers(client, flags.destination)) {
      answers[worker.name] = await tellWorker(client, worker, name.replaceAll('_', '-'), toBody(given.slice(0, -2)))
    }
    if (flags.json) return printJson(answers)
    for (const [worker, answer] of Object.entries(answers)) print(`-> ${worker}: ${JSON.stringify(answer)}`)
  })
}

function revokeCommand(name: string, description: string, terminate: boolean): Command {
  const command = new Command(name).description(description).argument('<ids...>', 'ids of tasks')
  return withConnection(command).action(async (ids: readonly string[], flags: ControlFlags) => {
    const { connect } = await import('../client/connect.js')
    const client = connect(flags)
    const states: Record<string, string> = {}
    for (const id of ids) {
      const path = `/v1/tasks/${encodeURIComponent(id)}/revoke`
      const { body } = await client.send({ method: 'POST', path, body: { terminate } })
      states[id] = (body as { readonly state: string }).state
    }
    if (flags.json) return printJson(states)
    for (const [id, state] of Object.entries(states)) print(`${id}  ${state}`)
  })
}
