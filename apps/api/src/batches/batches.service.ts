import {
  batchProgress,
  BatchRepository,
  HealthMetricsRepository,
  TaskRepository,
  type BatchView,
  type Database,
} from '#libs/database'
import { ModelCatalogue, referenceOf, type RiskManifest } from '#libs/ml/manifest'
import { LOGGER, MemoryGuardError, Slices, type Logger } from '#libs/platform'
import { Dispatcher, FinishedTasks } from '#libs/tasks'
import { celeryStateOf } from '#libs/tasks/contracts'
import { Inject, Injectable } from '@nestjs/common'
import { v7 as uuidv7 } from 'uuid'
import { reaches, type Principal } from '../access/access.js'
import { AuditTrail } from '../access/audit-trail.js'
import { ReachableRows } from '../access/reachable-rows.js'
import { BatchIntake } from './batch-intake.js'
import { writeResults } from './batch-results.js'
import { jsonSource, recordedSource, type BatchSource } from './batch-source.js'
import type { BatchResponse, BatchPage, BatchQuery, BatchRequest, ResultFormat } from './batches.schemas.js'
import { checkRow, isRowError } from './check-row.js'

/** Most errors in the answer about a batch. */
const maxErrors = 100

/** Who submits a batch, and how. */
export interface BatchSubmission {
  readonly model: string | undefined
  readonly principal: Principal
  readonly idempotencyKey: string | undefined
  /** How long to wait for the end; 0: not at all. */
  readonly waitSeconds: number
}

/** Takes batches in, tells of them, and cancels them. */
@Injectable()
export class BatchesService {
  constructor(
    private readonly batches: BatchRepository,
    private readonly tasks: TaskRepository,
    private readonly measurements: HealthMetricsRepository,
    private readonly catalogue: ModelCatalogue,
    private readonly dispatcher: Dispatcher,
    private readonly finished: FinishedTasks,
    private readonly reachable: ReachableRows,
    private readonly audit: AuditTrail,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** A batch that is given as a whole; people without metrics are computed from what is recorded. See `submit`. */
  submitPeople(request: BatchRequest, submission: BatchSubmission): Promise<BatchResponse> {
    const { user_ids: userIds, health_metrics_list: metrics } = request
    const source = userIds && !metrics ? recordedSource(userIds, this.measurements) : jsonSource(request)
    return this.submit(source, { ...submission, model: submission.model ?? request.model })
  }

  /**
   * Stores a batch, row by row as it comes, and then has it queued. Rows that do not fit fail alone.
   * @throws MemoryGuardError REQUEST_INVALID, REQUEST_MALFORMED, REQUEST_TOO_LARGE, MODEL_UNKNOWN, ACCESS_ROLE_MISSING,
   * IDEMPOTENCY_KEY_REUSED; then nothing was kept.
   */
  async submit(source: BatchSource, submission: BatchSubmission): Promise<BatchResponse> {
    const { principal, idempotencyKey: key, waitSeconds } = submission
    const { manifest } = this.catalogue.getRiskModel(submission.model)
    const hashOf = async () => `batch ${submission.model ?? ''} ${await source.digest()}`
    if (key !== undefined && (await this.batches.findByKey(principal.id, key))) {
      await source.drain()
      return this.answerAgain(key, await hashOf(), submission)
    }
    const intake = new BatchIntake(this.batches, uuidv7())
    const told = waitSeconds > 0 ? this.finished.expect(intake.id) : undefined
    try {
      await this.receive(intake, source, manifest, principal)
      const tasks = await this.batches.accept({
        id: intake.id,
        userId: principal.userId,
        // A batch that is called as a task has the caller's scope, which may be empty, for a principal.
        submittedBy: principal.id || undefined,
        idempotency: key === undefined ? undefined : { scope: principal.id, key, hash: await hashOf() },
      })
      if (key !== undefined && tasks.length === 0) {
        await this.batches.discard(intake.id)
        return await this.answerAgain(key, await hashOf(), submission)
      }
      for (const task of tasks) void this.dispatcher.dispatch(task)
      if (told) await this.finished.wait(intake.id, waitSeconds)
      return await this.get(intake.id, principal)
    } finally {
      told?.forget()
    }
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND, also for what the principal does not reach. */
  async get(id: string, principal: Principal): Promise<BatchResponse> {
    const view = await this.getView(id, principal)
    const errors = view.failed > 0 ? await this.batches.listErrors(id, maxErrors) : []
    return { ...this.toResponse(view), errors: [...errors] }
  }

  async list({ cursor, limit }: BatchQuery, principal: Principal): Promise<BatchPage> {
    const views = await this.batches.list({ userId: principal.userId ?? undefined, before: cursor, limit: limit + 1 })
    const items = views.slice(0, limit)
    return {
      items: items.map((view) => this.toResponse(view)),
      next_cursor: views.length > limit ? (items.at(-1)?.id ?? null) : null,
    }
  }

  /**
   * Cancels what is unfinished; results that are stored stay.
   * @throws MemoryGuardError RESOURCE_NOT_FOUND, TASK_STATE_CONFLICT if it has ended.
   */
  async cancel(id: string, principal: Principal, requestId: string): Promise<BatchResponse> {
    await this.getView(id, principal)
    const cancel = async (database: Database) => {
      if ((await new BatchRepository(database, this.tasks).cancel([id])).length > 0) return
      const { state } = await this.getView(id, principal)
      if (state !== 'cancelled') {
        throw new MemoryGuardError('TASK_STATE_CONFLICT', `The batch has ended: it is ${state}.`)
      }
    }
    await this.audit.change({ principal, requestId }, cancel, () => ({ action: 'batch.cancel', target: id }))
    return this.get(id, principal)
  }

  /** What has ended of a batch, in the order of the input, chunk by chunk. */
  async results(id: string, format: ResultFormat, principal: Principal): Promise<AsyncIterable<string>> {
    const { model, chunks } = await this.getView(id, principal)
    const manifest = this.catalogue.find(model)?.manifest
    return writeResults(this.batches, {
      id,
      chunks,
      format,
      manifest: manifest?.kind === 'risk' ? manifest : undefined,
    })
  }

  private async receive(
    intake: BatchIntake,
    source: BatchSource,
    manifest: RiskManifest,
    principal: Principal,
  ): Promise<void> {
    try {
      await this.batches.begin(intake.id, referenceOf(manifest), principal.userId)
      const slices = new Slices()
      for await (const rows of source.rows(manifest, this.catalogue)) {
        for (const raw of rows) {
          if (slices.isOver()) await slices.next()
          const row = checkRow(raw, manifest, this.catalogue)
          const subject = isRowError(row) ? row.user_id : row.userId
          if (subject !== null && !reaches(principal, subject)) {
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

  private async answerAgain(key: string, hash: string, { principal, waitSeconds }: BatchSubmission) {
    const first = await this.batches.findByKey(principal.id, key)
    if (!first || first.hash !== hash) {
      throw new MemoryGuardError(
        'IDEMPOTENCY_KEY_REUSED',
        'This Idempotency-Key was used with another request. Use a new key for a new batch.',
      )
    }
    if (waitSeconds > 0) await this.finished.wait(first.id, waitSeconds)
    return this.get(first.id, principal)
  }

  private async getView(id: string, principal: Principal): Promise<BatchView> {
    return this.reachable.task(await this.batches.find(id), id, principal, 'There is no such batch.')
  }

  private toResponse(view: BatchView): Omit<BatchResponse, 'errors'> {
    const [name = '', version = ''] = view.model.split('@')
    const { id, state, total, succeeded, failed, cancelled } = view
    const { percent, etaSeconds } = batchProgress(view)
    return {
      id,
      task_id: id,
      state,
      celery_state: celeryStateOf(state),
      model: { name, version },
      total,
      succeeded,
      failed,
      cancelled,
      percent: percent ?? 0,
      eta_seconds: etaSeconds,
      results: `/v1/batches/${id}/results`,
      disclaimer: this.catalogue.find(view.model)?.manifest.disclaimer ?? 'Decision support, not diagnosis.',
      created_at: view.createdAt.toISOString(),
      started_at: view.startedAt?.toISOString() ?? null,
      completed_at: view.finishedAt?.toISOString() ?? null,
    }
  }
}
