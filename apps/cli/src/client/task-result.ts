import { print, printJson, warn } from '../output.js'
import type { RestClient } from './rest-client.js'

/** A task's result as the API shows it. */
interface TaskResult {
  readonly state: string
  /** The state is final. */
  readonly ready: boolean
  readonly result: unknown
  readonly error: { readonly code: string; readonly message: string } | null
}

/** The API holds one request no longer than this. */
const longestPollSeconds = 20

/** Exit codes by final state; 1 is a command that failed itself. */
const exitCodes: Readonly<Record<string, number>> = { succeeded: 0, failed: 3, timed_out: 4, cancelled: 5, expired: 6 }
/** It was waited for, and has not finished. */
const unfinishedCode = 7

/** The exit codes of commands that show a result, for their help. */
export const resultExitCodes = `
Exit codes:
  0  succeeded, or not finished and --wait was not given
  1  the command itself failed
${Object.entries(exitCodes)
  .filter(([, code]) => code > 0)
  .map(([state, code]) => `  ${code}  ${state}`)
  .join('\n')}
  ${unfinishedCode}  not finished within --wait`

/** Polls a result until it is there or the time is over, shows what is known then, and sets the exit code by its state. */
export const showResult = async (
  client: RestClient,
  id: string,
  waitSeconds: number,
  asJson = false,
): Promise<void> => {
  const deadline = Date.now() + waitSeconds * 1000
  for (;;) {
    const remaining = Math.max(0, (deadline - Date.now()) / 1000)
    const wait = Math.ceil(Math.min(remaining, longestPollSeconds))
    const { body } = await client.send({ path: `/v1/tasks/${encodeURIComponent(id)}/result?wait=${wait}` })
    const response = body as TaskResult
    if (!response.ready && remaining > 0) continue
    process.exitCode = exitCodeOf(response, waitSeconds)
    if (asJson) return printJson(response)
    print(response.state)
    if (response.result !== null) printJson(response.result)
    if (response.error !== null) print(`${response.error.code}: ${response.error.message}`)
    if (hasRisk(response.result)) print('Decision support, not diagnosis.')
    if (process.exitCode === unfinishedCode) warn(`The task has not finished within ${waitSeconds} s.`)
    return
  }
}

const exitCodeOf = ({ state, ready }: TaskResult, waitSeconds: number): number => {
  if (ready) return exitCodes[state] ?? 1
  return waitSeconds > 0 ? unfinishedCode : 0
}

const hasRisk = (result: unknown): boolean => typeof result === 'object' && result !== null && 'risk_score' in result
