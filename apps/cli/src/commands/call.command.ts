import { Command, InvalidArgumentError } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import { print, printJson } from '../output.js'
import { withConnection } from './connection-options.js'

interface CallFlags extends ConnectionFlags {
  readonly args: unknown
  readonly queue?: string
  readonly countdown?: number
  readonly eta?: string
  readonly expires?: number
  readonly priority?: number
  readonly json?: true
}

/** `memoryguard call NAME`: sends a registered task, as `celery call` does. */
export function callCommand(): Command {
  const command = new Command('call')
    .description('send a task by its name, for example ml.process_prediction')
    .argument('<name>', 'name of the task')
    .option('-a, --args <json>', 'arguments, as a JSON object', parseJson, {})
    .option('-Q, --queue <queue>', "queue, if not the task's own")
    .option('--countdown <seconds>', 'start it this much later', parseNumber)
    .option('--eta <time>', 'start it at this time (ISO 8601)')
    .option('--expires <seconds>', 'forget it if it has not started by then', parseNumber)
    .option('--priority <number>', 'smaller goes first', parseNumber)
  return withConnection(command).action(async (name: string, flags: CallFlags) => {
    const { connect } = await import('../client/connect.js')
    const { args, queue, countdown, eta, expires, priority } = flags
    const body = { name, args, queue, countdown, eta, expires, priority }
    const answer = await connect(flags).send({ method: 'POST', path: '/v1/tasks', body })
    if (flags.json) return printJson(answer.body)
    const { task_id: taskId, id, state } = answer.body as { task_id?: string; id?: string; state?: string }
    print(`${taskId ?? id ?? ''}  ${state ?? ''}`.trim())
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new InvalidArgumentError(`It must be JSON, for example '{"prediction_id": 1}'.`)
  }
}

function parseNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.')
  return value
}
