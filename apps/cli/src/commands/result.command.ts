import { Command, InvalidArgumentError } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import { print, printJson } from '../output.js'
import { withConnection } from './connection-options.js'

interface ResultFlags extends ConnectionFlags {
  readonly wait: number
  readonly json?: true
}

/** What the API says of a task's result. */
interface TaskResult {
  readonly state: string
  /** The state is final. */
  readonly ready: boolean
  readonly result: unknown
  readonly error: { readonly code: string; readonly message: string } | null
}

/** The API holds one request no longer than this. */
const longestPollSeconds = 20

/** `memoryguard result ID`: state and result of a task, as `celery result` does. */
export function resultCommand(): Command {
  const command = new Command('result')
    .description('show the state and the result of a task')
    .argument('<id>', 'id of the task')
    .option('-w, --wait <seconds>', 'wait this long for it to finish', parseSeconds, 0)
  return withConnection(command).action(async (id: string, flags: ResultFlags) => {
    const { connect } = await import('../client/connect.js')
    const client = connect(flags)
    const deadline = Date.now() + flags.wait * 1000
    for (;;) {
      const remaining = Math.max(0, (deadline - Date.now()) / 1000)
      const wait = Math.ceil(Math.min(remaining, longestPollSeconds))
      const { body } = await client.send({ path: `/v1/tasks/${encodeURIComponent(id)}/result?wait=${wait}` })
      const answer = body as TaskResult
      if (!answer.ready && remaining > 0) continue
      if (flags.json) return printJson(answer)
      print(answer.state)
      if (answer.result !== null) printJson(answer.result)
      if (answer.error !== null) print(`${answer.error.code}: ${answer.error.message}`)
      if (hasRisk(answer.result)) print('Decision support, not diagnosis.')
      return
    }
  })
}

function hasRisk(result: unknown): boolean {
  return typeof result === 'object' && result !== null && 'risk_score' in result
}

function parseSeconds(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('It must be a number of seconds.')
  return value
}
