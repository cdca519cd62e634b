import { Command } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import { resultExitCodes } from '../client/task-result.js'
import { print, printJson } from '../output.js'
import { withConnection } from './connection-options.js'
import { parseJson, parseNumber, parseSeconds } from './parse-flags.js'

interface CallFlags extends ConnectionFlags {
  readonly args: unknown
  readonly queue?: string
  readonly countdown?: number
  readonly eta?: string
  readonly expires?: number
  readonly priority?: number
  readonly wait?: number
  readonly json?: true
}

/** `memoryguard call NAME`: sends a registered task, as `celery call` does. */
export function callCommand(): Command {
  const command = new Command('call')
    .description('send a task by its name, for example ml.process_prediction')
    .addHelpText('after', resultExitCodes)
    .argument('<name>', 'name of the task')
    .option('-a, --args <json>', 'arguments, as a JSON object', parseJson, {})
    .option('-Q, --queue <queue>', "queue, if not the task's own")
    .option('--countdown <seconds>', 'start it this much later', parseNumber)
    .option('--eta <time>', 'start it at this time (ISO 8601)')
    .option('--expires <seconds>', 'forget it if it has not started by then', parseNumber)
    .option('--priority <number>', 'smaller goes first', parseNumber)
    .option('-w, --wait <seconds>', 'wait this long for its result', parseSeconds)
  return withConnection(command).action(async (name: string, flags: CallFlags) => {
    const { connect } = await import('../client/connect.js')
    const { args, queue, countdown, eta, expires, priority } = flags
    const body = { name, args, queue, countdown, eta, expires, priority }
    const client = connect(flags)
    const answer = await client.send({ method: 'POST', path: '/v1/tasks', body })
    const { id, state } = answer.body as { readonly id: string; readonly state: string }
    if (flags.wait !== undefined) {
      const { showResult } = await import('../client/task-result.js')
      return showResult(client, id, flags.wait, flags.json)
    }
    if (flags.json) return printJson(answer.body)
    print(`${id}  ${state}`)
  })
}
