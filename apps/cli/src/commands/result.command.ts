import { Command } from 'commander'
import { resultExitCodes } from '../client/task-result.js'
import { callsApi } from './api-command.js'
import { parseSeconds } from './parse-flags.js'

/** `memoryguard result ID`: state and result of a task, as `celery result` does. */
export const resultCommand = (): Command =>
  callsApi(
    new Command('result')
      .description('show the state and the result of a task')
      .addHelpText('after', resultExitCodes)
      .argument('<id>', 'id of the task')
      .option('-w, --wait <seconds>', 'wait this long for it to finish', parseSeconds, 0),
    async (client, [id]: [string], { wait, json }: { readonly wait: number; readonly json?: true }) => {
      const { showResult } = await import('../client/task-result.js')
      await showResult(client, id, wait, json)
    },
  )
