import { print, printJson } from '../output.js'
import type { RestClient } from './rest-client.js'

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

/** Asks for a result until it is there or the time is over, and shows what is known then. */
export async function showResult(client: RestClient, id: string, waitSeconds: number, asJson = false): Promise<void> {
  const deadline = Date.now() + waitSeconds * 1000
  for (;;) {
    const remaining = Math.max(0, (deadline - Date.now()) / 1000)
    const wait = Math.ceil(Math.min(remaining, longestPollSeconds))
    const { body } = await client.send({ path: `/v1/tasks/${encodeURIComponent(id)}/result?wait=${wait}` })
    const answer = body as TaskResult
    if (!answer.ready && remaining > 0) continue
    if (asJson) return printJson(answer)
    print(answer.state)
    if (answer.result !== null) printJson(answer.result)
    if (answer.error !== null) print(`${answer.error.code}: ${answer.error.message}`)
    if (hasRisk(answer.result)) print('Decision support, not diagnosis.')
    return
  }
}

function hasRisk(result: unknown): boolean {
  return typeof result === 'object' && result !== null && 'risk_score' in result
}
