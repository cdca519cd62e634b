import { Command } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import { resultExitCodes } from '../client/task-result.js'
import { withConnection } from './connection-options.js'
import { parseSeconds } from './parse-flags.js'

interface ResultFlags extends ConnectionFlags {
  readonly wait: number
  readonly json?: true
}

/** `memoryguard result ID`: state and result of a task, as `celery result` does. */
export function resultCommand(): Command {
  const command = new Command('result')
    .description('show the state and the result of a task')
    .addHelpText('after', resultExitCodes)
    .argument('<id>', 'id of the task')
    .option('-w, --wait <seconds>', 'wait this long for it to finish', parseSeconds, 0)
  return withConnection(command).action(async (id: string, flags: ResultFlags) => {
    const { connect } = await import('../client/connect.js')
    const { showResult } = await import('../client/task-result.js')
    await showResult(connect(flags), id, flags.wait, flags.json)
  })
}
