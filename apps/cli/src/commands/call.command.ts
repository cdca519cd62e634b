import { Command } from 'commander'
import { resultExitCodes } from '../client/task-result.js'
import { callsApi } from './api-command.js'
import { parseJson, parseNumber, parseSeconds } from './parse-flags.js'

interface CallFlags {
  readonly args: unknown
  readonly queue?: string
  readonly countdown?: number
  readonly eta?: string
  readonly expires?: number
  readonly priority?: number
  readonly wait?: number
  readonly json?: true
}

/** `memoryguard call NAME`: submits a registered task, as `celery call` does. */
export const callCommand = (): Command =>
  callsApi(
    new Command('call')
      .description('submit a task by its name, for example ml.process_prediction')
      .addHelpText('after', resultExitCodes)
      .argument('<name>', 'name of the task')
      .option('-a, --args <json>', 'arguments, as a JSON object', parseJson, {})
      .option('-Q, --queue <queue>', "queue, if not the task's own")
      .option('--countdown <seconds>', 'start it this much later', parseNumber)
      .option('--eta <time>', 'start it at this time (ISO 8601)')
      .option('--expires <seconds>', 'forget it if it has not started by then', parseNumber)
      .option('--priority <number>', 'smaller goes first', parseNumber)
      .option('-w, --wait <seconds>', 'wait this long for its result', parseSeconds),
    async (client, [name]: [string], { args, queue, countdown, eta, expires, priority, wait, json }: CallFlags) => {
      const request = { name, args, queue, countdown, eta, expires, priority }
      const { body } = await client.send({ method: 'POST', path: '/v1/tasks', body: request })
      const { id, state } = body as { readonly id: string; readonly state: string }
      if (wait === undefined) return { json: body, lines: [`${id}  ${state}`] }
      const { showResult } = await import('../client/task-result.js')
      return showResult(client, id, wait, json)
    },
  )
