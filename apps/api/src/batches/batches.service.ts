import { batchProgress, BatchRepository, TaskRepository, type BatchView, type Database } from '#libs/database'
import { ModelCatalogue } from '#libs/ml/manifest'
import { MemoryGuardError } from '#libs/platform'
import { celeryStateOf } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import type { Principal } from '../access/access.js'
import { AuditTrail } from '../access/audit-trail.js'
import { ReachableRows } from '../access/reachable-rows.js'
import { writeResults } from './batch-results.js'
import type { BatchResponse, BatchPage, BatchQuery, ResultFormat } from './batches.schemas.js'

/** Most errors in the response about a batch. */
const maxErrors = 100

/** Reads batches and cancels them. */
@Injectable()
export class BatchesService {
  constructor(
    private readonly batches: BatchRepository,
    private readonly tasks: TaskRepository,
    private readonly catalogue: ModelCatalogue,
    private readonly reachable: ReachableRows,
    private readonly audit: AuditTrail,
  ) {}

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
