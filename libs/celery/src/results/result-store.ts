import type { ChainableCommander, Redis } from 'ioredis'
import type { CeleryConnections } from '../connection.js'
import { stringifyPythonJson } from '../wire/python-json.js'
import { pythonTime } from '../wire/python-values.js'
import type { ResultTuple } from './result-node.js'
import { parsePayload, payloadText, UnreadablePayload } from './payload.js'
import { storeResult } from './results.lua.js'

export type CeleryState = 'STARTED' | 'RETRY' | 'SUCCESS' | 'FAILURE' | 'REVOKED'

/** What is stored of a task: Celery calls it the task's meta. */
export interface TaskResult {
  readonly id: string
  readonly group: string | null
  readonly parentId: string | null
  readonly state: CeleryState
  readonly result: unknown
  readonly traceback: string | null
  readonly children: readonly ResultTuple[]
}

const endStates: readonly CeleryState[] = ['SUCCESS', 'FAILURE', 'REVOKED']

/** The results of tasks in Redis, each of which expires after `expiresSeconds` (0: never). */
export class ResultStore {
  private readonly redis: Redis

  constructor(
    private readonly connections: CeleryConnections,
    private readonly expiresSeconds: number,
  ) {
    this.redis = connections.backend
  }

  /** Stores results in one round trip; a SUCCESS that is there stays. Returns the error of each, if it has one. */
  async store(results: readonly TaskResult[]): Promise<readonly (Error | undefined)[]> {
    if (results.length === 0) return []
    const pipeline = this.redis.pipeline()
    for (const result of results) this.addTo(pipeline, result, endStates.includes(result.state) ? '' : 'unended')
    return Promise.all(
      (await repliesOf(pipeline, results.length)).map(async ([error, reply], index) => {
        const result = results[index]
        return !error && reply === 2 && result ? this.storeOverCompressed(result) : (error ?? undefined)
      }),
    )
  }

  /** The stored results of tasks; undefined for those that have none. @throws {UnreadablePayload} */
  async read(ids: readonly string[]): Promise<readonly (Readonly<Record<string, unknown>> | undefined)[]> {
    if (ids.length === 0) return []
    const stored = await this.redis.mgetBuffer(ids.map((id) => this.keyOf(id)))
    return stored.map((one) => (one ? parsePayload(payloadText(one)) : undefined))
  }

  private keyOf(id: string): string {
    return this.connections.backendKey(`celery-task-meta-${id}`)
  }

  private addTo(pipeline: ChainableCommander, result: TaskResult, check = ''): void {
    pipeline.eval(storeResult, 1, this.keyOf(result.id), textOf(result), this.expiresSeconds, check)
  }

  /** Another worker has compressed the result that is there: it is read here, as a script cannot. */
  private async storeOverCompressed(result: TaskResult): Promise<Error | undefined> {
    try {
      if (await this.isSuccess(result.id)) return undefined
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    }
    const pipeline = this.redis.pipeline()
    this.addTo(pipeline, result, 'anyway')
    const [reply] = await repliesOf(pipeline, 1)
    return reply?.[0] ?? undefined
  }

  private async isSuccess(id: string): Promise<boolean> {
    try {
      const [current] = await this.read([id])
      return current?.['status'] === 'SUCCESS'
    } catch (error) {
      if (error instanceof UnreadablePayload) return false
      throw error
    }
  }
}

/** The reply or the error of each command. */
const repliesOf = async (pipeline: ChainableCommander, count: number): Promise<readonly [Error | null, unknown][]> => {
  try {
    const replies = await pipeline.exec()
    if (replies?.length === count) return replies
    throw new Error('the result backend gave no reply')
  } catch (error) {
    const cause = error instanceof Error ? error : new Error(String(error))
    return Array.from({ length: count }, () => [cause, null])
  }
}

const textOf = ({ id, group, parentId, state, result, traceback, children }: TaskResult): string =>
  stringifyPythonJson({
    status: state,
    result,
    traceback,
    children,
    date_done: endStates.includes(state) ? pythonTime(new Date()) : null,
    ...(group !== null && { group_id: group }),
    ...(parentId !== null && { parent_id: parentId }),
    task_id: id,
  })
