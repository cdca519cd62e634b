import type { AttemptEnd, ClaimedTask } from '#libs/database'
import { MemoryGuardError, type Config } from '#libs/platform'
import { maxCrashes } from '#libs/tasks'

/** Share of the retry delay by which it is spread either way, so that many failures do not return at once. */
const jitter = 0.1

/** What ends an attempt that did not succeed, by the class of its error. */
export class RetryPolicy {
  constructor(
    private readonly limits: Config['task'],
    /** In [0, 1); replaced in tests. */
    private readonly random: () => number = Math.random,
  ) {}

  /**
   * Invalid input, unknown models and time limits are final. A death of the child is counted apart from retries and
   * is tried again at once, until it is poison. Work that a stopping worker hands back costs nothing. Everything else
   * may pass and is retried after the delay while the allowance lasts.
   */
  endOf(task: ClaimedTask, error: unknown): AttemptEnd {
    const code = error instanceof MemoryGuardError ? error.code : 'TASK_FAILED'
    // Words of a stranger's error may hold input values: they go to the log, never into a row.
    const message = error instanceof MemoryGuardError ? error.message : 'It failed unexpectedly; see the worker log.'
    const end = { id: task.id, attempt: task.attempt, errorCode: code, errorMessage: message }
    switch (code) {
      case 'TASK_HARD_TIME_LIMIT':
      case 'TASK_SOFT_TIME_LIMIT':
        return { ...end, state: 'timed_out', outcome: 'timed_out' }
      case 'TASK_REVOKED':
        return { ...end, state: 'cancelled', outcome: 'cancelled' }
      case 'TASK_RELEASED':
        return { id: task.id, attempt: task.attempt, state: 'queued', outcome: 'released' }
      case 'TASK_CHILD_LOST':
        return this.endOfLost(task, end)
      default:
        return this.isWorthRetrying(task, error)
          ? {
              ...end,
              state: 'retrying',
              outcome: 'retried',
              countsAsRetry: true,
              retryInMs: this.delayMs(task),
            }
          : { ...end, state: 'failed', outcome: 'failed' }
    }
  }

  private endOfLost(
    task: ClaimedTask,
    end: Pick<AttemptEnd, 'id' | 'attempt' | 'errorCode' | 'errorMessage'>,
  ): AttemptEnd {
    if (task.crashes + 1 < maxCrashes) return { ...end, state: 'queued', outcome: 'lost', countsAsCrash: true }
    return {
      ...end,
      state: 'failed',
      outcome: 'lost',
      countsAsCrash: true,
      errorCode: 'TASK_POISON',
      errorMessage: `The process that computed it died ${maxCrashes} times.`,
    }
  }

  private isWorthRetrying(task: ClaimedTask, error: unknown): boolean {
    const mayPass = !(error instanceof MemoryGuardError) || error.retryable
    return mayPass && task.retries < (task.limits?.max_retries ?? this.limits.maxRetries)
  }

  private delayMs({ limits }: ClaimedTask): number {
    const seconds = limits?.retry_delay_seconds ?? this.limits.retryDelaySeconds
    // Whole: a broker in PostgreSQL refuses fractions.
    return Math.round(seconds * 1000 * (1 + jitter * (2 * this.random() - 1)))
  }
}
