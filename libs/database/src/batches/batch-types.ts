import type { ErrorCode } from '#libs/platform'
import type { TaskState } from '#libs/tasks/contracts'
import type { StoredOutput } from '../predictions/prediction.entity.js'
import type { Submission } from '../tasks/submission.js'

/** Why one row of a batch has no result. The words never hold a value of the row. */
export interface BatchRowError {
  /** Line of the input, from 1; of JSON: position of the item, from 1. */
  readonly line: number
  /** Null where the row names no person. */
  readonly user_id: number | null
  readonly code: ErrorCode
  readonly message: string
}

/** Some rows of a batch, in the order of the input. The arrays have one entry for each person. */
export interface NewBatchChunk {
  readonly chunk: number
  /** UUID version 7 of its task. */
  readonly taskId: string
  readonly userIds: readonly number[]
  readonly lines: readonly number[]
  readonly metrics: readonly Readonly<Record<string, number>>[]
  /** By position in the arrays; most people have none. */
  readonly warnings: Readonly<Record<number, readonly string[]>>
  /** Rows that were refused. */
  readonly errors: readonly BatchRowError[]
}

/** When the chunks of a batch may start, and before which others. */
export interface BatchStart {
  readonly availableAt?: Date | undefined
  readonly expiresAt?: Date | undefined
  readonly priority?: number
}

/** A received batch; its id is that of its task. */
export interface BatchAcceptance extends Submission {
  readonly userId: number | null
  /** Default: at once. */
  readonly start?: BatchStart | undefined
}

/** People of a chunk for the worker. */
export interface BatchChunkInput {
  readonly batchId: string
  readonly chunk: number
  readonly model: string
  readonly people: readonly Readonly<Record<string, number>>[]
}

/** Risks of the people of a chunk, in order; null for those in `failures`. */
export interface StoredChunk {
  readonly taskId: string
  readonly attempt: number
  readonly batchId: string
  readonly chunk: number
  readonly scores: readonly (number | null)[]
  readonly categories: readonly (string | null)[]
  readonly outputs: readonly (Readonly<Record<string, StoredOutput>> | null)[]
  /** By position in the chunk. */
  readonly failures: Readonly<Record<number, { readonly code: ErrorCode; readonly message: string }>>
}

/** A batch with its counts, which are always counted from its chunks. */
export interface BatchView {
  readonly id: string
  readonly userId: number | null
  readonly model: string
  readonly state: TaskState
  readonly total: number
  readonly succeeded: number
  readonly failed: number
  readonly cancelled: number
  readonly chunks: number
  readonly createdAt: Date
  readonly startedAt: Date | null
  readonly finishedAt: Date | null
  /** Since it was started. */
  readonly elapsedSeconds: number | null
}

/** One row of the results: a prediction, or an error. */
export interface BatchResultRow {
  readonly line: number
  readonly userId: number | null
  readonly prediction: {
    readonly id: number
    readonly riskScore: number
    readonly riskCategory: string
    readonly outputs: Readonly<Record<string, StoredOutput>>
  } | null
  readonly error: { readonly code: string; readonly message: string } | null
}
