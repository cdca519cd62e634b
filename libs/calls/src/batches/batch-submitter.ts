import {
  BatchRepository,
  HealthMetricsRepository,
  TaskRepository,
  type BatchAcceptance,
  type BatchStart,
  type StoredSubmission,
} from '#libs/database'
import { ModelCatalogue, referenceOf, type RiskManifest } from '#libs/ml/manifest'
import { LOGGER, MemoryGuardError, Slices, type Logger } from '#libs/platform'
import { Submissions } from '#libs/tasks'
import { Inject, Injectable } from '@nestjs/common'
import { v7 as uuidv7 } from 'uuid'
import { BatchIntake } from './batch-intake.js'
import { jsonSource, recordedSource, type BatchPeople, type BatchSource } from './batch-source.js'
import { checkRow, isRowError } from './check-row.js'
import { SlicedList } from './sliced-list.js'

/** People of a batch, as the contract of its task has them. */
export interface BatchCall {
  readonly user_ids: readonly unknown[]
  readonly health_metrics_list?: readonly unknown[] | undefined
  readonly model?: string | undefined
}

/** Who submits a batch, and how. */
export interface BatchSubmission {
  readonly model?: string | undefined
  /** The one person whom the caller reaches; null for all. */
  readonly boundTo: number | null
  /** Id of the API key. */
  readonly submittedBy: string | undefined
  /** Span of the request, if its trace is recorded. */
  readonly traceparent: string | undefined
  readonly idempotencyKey?: string | undefined
  /** Keeps the idempotency keys of callers apart. */
  readonly scope: string
  /** How long to wait for the end, in seconds. */
  readonly waitSeconds?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly start?: BatchStart | undefined
}

/** Takes batches in. */
@Injectable()
export class BatchSubmitter {
  private readonly accept = (batch: BatchAcceptance) => this.batches.accept(batch)

  constructor(
    private readonly batches: BatchRepository,
    private readonly tasks: TaskRepository,
    private readonly measurements: HealthMetricsRepository,
    private readonly catalogue: ModelCatalogue,
    private readonly submissions: Submissions,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** A batch that was called as a task, whose arguments have been checked. A call is about nobody in particular. */
  submitCall(
    call: BatchCall,
    submission: Omit<BatchSubmission, 'boundTo' | 'submittedBy' | 'traceparent'> &
      Partial<Pick<BatchSubmission, 'submittedBy' | 'traceparent'>>,
  ): Promise<StoredSubmission> {
    const { user_ids: userIds, health_metrics_list: metrics, model } = call
    const people = { user_ids: SlicedList.from(userIds), health_metrics_list: metrics && SlicedList.from(metrics) }
    return this.submitPeople(people, {
      submittedBy: undefined,
      traceparent: undefined,
      model,
      ...submission,
      boundTo: null,
    })
  }

  /** A batch that is given as a whole; people without metrics are computed from what is recorded. See `submit`. */
  submitPeople(request: BatchPeople, submission: BatchSubmission): Promise<StoredSubmission> {
    const { user_ids: userIds, health_metrics_list: metrics } = request
    const source = userIds && !metrics ? recordedSource(userIds, this.measurements) : jsonSource(request)
    return this.submit(source, { ...submission, model: submission.model ?? request.model })
  }

  /**
   * Receives the rows of a batch as they come, then submits it. Rows that do not fit fail alone.
   * @throws {MemoryGuardError} REQUEST_INVALID, REQUEST_MALFORMED, REQUEST_TOO_LARGE, MODEL_UNKNOWN, ACCESS_ROLE_MISSING
   * or IDEMPOTENCY_KEY_REUSED when nothing was kept.
   */
  async submit(source: BatchSource, submission: BatchSubmission): Promise<StoredSubmission> {
    const {
      model = '',
      boundTo,
      submittedBy,
      traceparent,
      idempotencyKey: key,
      scope,
      waitSeconds,
      signal,
      start,
    } = submission
    const { manifest } = this.catalogue.getRiskModel(submission.model)
    // To a key that is bound to a person, no stored request is compared before the rows are known to be that person's.
    const known = key === undefined || boundTo !== null ? null : await this.batches.findByKey({ scope, key })
    const intake = new BatchIntake(this.batches, uuidv7())
    if (known) await source.drain()
    else await this.receive(intake, source, manifest, boundTo)
    const batch: BatchAcceptance = {
      taskId: intake.id,
      userId: boundTo,
      submittedBy,
      traceparent,
      start,
      idempotency: key === undefined ? undefined : { scope, key, hash: `batch ${model} ${await source.digest()}` },
    }
    const store = known ? async () => known : this.accept
    return (await this.submissions.submit(store, batch, waitSeconds, signal)).stored
  }

  private async receive(
    intake: BatchIntake,
    source: BatchSource,
    manifest: RiskManifest,
    boundTo: number | null,
  ): Promise<void> {
    try {
      await this.batches.begin(intake.id, referenceOf(manifest), boundTo)
      const slices = new Slices()
      for await (const rows of source.rows(manifest, this.catalogue)) {
        for (const raw of rows) {
          if (slices.isOver()) await slices.next()
          const row = checkRow(raw, manifest, this.catalogue)
          const subject = isRowError(row) ? row.user_id : row.userId
          if (subject !== null && boundTo !== null && subject !== boundTo) {
            throw new MemoryGuardError('ACCESS_ROLE_MISSING', `Line ${row.line}: this key is bound to another person.`)
          }
          if (intake.add(row)) await intake.flush()
        }
      }
      await intake.finish()
      if (intake.total === 0) {
        throw new MemoryGuardError('REQUEST_INVALID', 'The batch has no rows.')
      }
      await this.tasks.makeDurable()
    } catch (error) {
      await intake.settle()
      await this.discard(intake.id)
      throw error
    }
  }

  /** What is left by a failure here is discarded by maintenance. */
  private async discard(id: string): Promise<void> {
    try {
      await this.batches.discard(id)
    } catch (error) {
      this.log.warn({ err: error, batch: id }, 'rows of a rejected batch not discarded yet')
    }
  }
}
