import { TaskRepository, type EnqueueableTask, type StoredSubmission, type Submission } from '#libs/database'
import { MemoryGuardError, MicroBatcher, Tracing, type Settled } from '#libs/platform'
import { Injectable } from '@nestjs/common'
import { Enqueuer } from '../enqueuer.js'
import { FinishedTasks } from '../finished-tasks.js'

/** Most submissions of one INSERT, and the longest wait for company while others are under way. */
const insertBatch = { maxSize: 128, maxInFlight: 2, maxWaitMs: 2 }
/** One flush of the server's log serves every submission that came before it. */
const flushBatch = { maxSize: 1024, maxInFlight: 2, maxWaitMs: 1 }

/** Stores a submission: the rows of its feature and its tasks, in one statement or transaction. */
export type Store<Row extends Submission, Stored extends StoredSubmission> = (row: Row) => Promise<Stored>

/** A store that inserts submissions that come together by one statement; `insert` returns an outcome for each. */
export const groupedStore = <Row extends Submission, Stored extends StoredSubmission>(
  insert: (rows: readonly Row[]) => Promise<readonly Settled<Stored>[]>,
): Store<Row, Stored> => {
  const batcher = new MicroBatcher({ ...insertBatch, flush: insert })
  return (row) => batcher.add(row)
}

/**
 * The one way in. Every submission is stored, then its tasks are enqueued, then the caller may wait for its end. Who may
 * submit what is decided before; a feature supplies its statement and reads its response afterwards.
 */
@Injectable()
export class Submissions {
  private readonly flushes: MicroBatcher<undefined, undefined>

  constructor(
    private readonly repository: TaskRepository,
    private readonly enqueuer: Enqueuer,
    private readonly finished: FinishedTasks,
    private readonly tracing: Tracing,
  ) {
    this.flushes = new MicroBatcher({ ...flushBatch, flush: (waiting) => this.flush(waiting) })
  }

  /**
   * Stores a submission and enqueues its tasks. Waits up to `waitSeconds` for its end, or until `signal` is aborted;
   * `hasEnded` says whether it may have ended by then.
   * @throws {MemoryGuardError} IDEMPOTENCY_KEY_REUSED when the key was used with another request.
   */
  async submit<Row extends Submission, Stored extends StoredSubmission>(
    store: Store<Row, Stored>,
    row: Row,
    waitSeconds = 0,
    signal?: AbortSignal,
  ): Promise<{ readonly stored: Stored; readonly hasEnded: boolean }> {
    const expected = waitSeconds > 0 ? this.finished.expect(row.taskId) : undefined
    try {
      const stored = await this.storeTraced(store, row)
      if (stored.isNew) this.enqueue(stored.tasks, row.traceparent)
      else if (row.idempotency && row.idempotency.hash !== stored.hash) throw keyReused()
      // It is enqueued while the log is flushed: a job without a row is skipped, a 202 without one would be a lie.
      const flushed = stored.commitsSoon ? this.flushes.add(undefined) : undefined
      if (!expected) {
        await flushed
        return { stored, hasEnded: false }
      }
      const { taskId, isNew } = stored
      const ended = isNew ? expected.within(waitSeconds, signal) : this.finished.wait(taskId, waitSeconds, signal)
      const [hasEnded] = await Promise.all([ended, flushed])
      return { stored, hasEnded }
    } finally {
      expected?.forget()
    }
  }

  /**
   * Enqueues stored tasks; what the broker does not take, the reconciler enqueues later. `traceparent` is the span of the
   * request, if its trace is recorded.
   */
  enqueue(tasks: readonly EnqueueableTask[], traceparent?: string): void {
    const enqueued = tasks.map((task) => this.enqueuer.enqueue(task))
    if (traceparent === undefined || tasks.length === 0) return
    const attributes = { 'messaging.batch.message_count': tasks.length }
    const span = this.tracing.begin({ name: 'enqueue', kind: 'producer', parent: traceparent, attributes })
    void Promise.all(enqueued).then(() => span?.end())
  }

  private storeTraced<Row extends Submission, Stored>(store: (row: Row) => Promise<Stored>, row: Row): Promise<Stored> {
    const { traceparent: parent } = row
    const span = parent === undefined ? undefined : this.tracing.begin({ name: 'store', kind: 'internal', parent })
    return span ? store(row).finally(() => span.end()) : store(row)
  }

  private async flush(waiting: readonly undefined[]) {
    await this.repository.makeDurable()
    return waiting.map((value) => ({ value }))
  }
}

const keyReused = (): MemoryGuardError =>
  new MemoryGuardError(
    'IDEMPOTENCY_KEY_REUSED',
    'This Idempotency-Key was used with another request. Use a new key for a new request.',
  )
