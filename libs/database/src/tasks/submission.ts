import type { Database } from '../connection/database.js'
import type { EnqueueableTask } from './enqueue-row.js'

/** Within `scope`, one submission however often the key is sent; `hash` distinguishes another request. */
export interface IdempotencyKey {
  readonly scope: string
  readonly key: string
  readonly hash: string
}

/** What every submission has, whatever rows it stores. */
export interface Submission {
  /** UUID version 7 of its task, if it comes to a new one: the history is in the order of the ids. */
  readonly taskId: string
  /** Id of the API key that submits it. */
  readonly submittedBy?: string | undefined
  /** W3C `traceparent` of the request, if its trace is recorded. */
  readonly traceparent?: string | undefined
  readonly idempotency?: IdempotencyKey | undefined
}

/** What became of a submission in the database. */
export interface StoredSubmission {
  /** The task that was stored, or that was there already. */
  readonly taskId: string
  readonly isNew: boolean
  /** New tasks, to be enqueued. */
  readonly tasks: readonly EnqueueableTask[]
  /** If it is not new, the hash of the request that used the idempotency key first. */
  readonly hash?: string | undefined
  /** It survives a crash of the server only after `TaskRepository.makeDurable`. */
  readonly commitsSoon?: boolean
}

/** A task that an idempotency key has made. */
interface KeyedTask {
  readonly id: string
  readonly predictionId: string | null
  readonly createdAt: Date
  readonly hash: string
}

/** The task that was stored first under an idempotency key. */
export const findByKey = async (
  database: Database,
  { scope, key }: Pick<IdempotencyKey, 'scope' | 'key'>,
): Promise<KeyedTask | null> => {
  const [row]: { id: string; prediction_id: string | null; created_at: Date; idempotency_hash: string }[] =
    await database.query(
      `SELECT id, prediction_id, created_at, idempotency_hash FROM tasks
       WHERE idempotency_scope = $1 AND idempotency_key = $2`,
      [scope, key],
    )
  return row
    ? { id: row.id, predictionId: row.prediction_id, createdAt: row.created_at, hash: row.idempotency_hash }
    : null
}

/** A submission that was stored before, or for which another task stands. */
export const storedBefore = (taskId: string, hash?: string): StoredSubmission => ({
  taskId,
  isNew: false,
  tasks: [],
  hash,
})
