import { readRequest, type CallRequest } from '#libs/celery'
import { CeleryCallRepository, type NewCeleryCall, type StoredCall } from '#libs/database'
import { LOGGER, SampledLines, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { WORKER_NAME } from '../control/worker-name.js'
import { foreignPrediction } from './call-planner.js'
import { DirectStarts } from './direct-starts.js'
import { ResultDelivery } from './result-delivery.js'
import { TakenCalls } from './taken-calls.js'
import { togetherOrEach } from './together-or-each.js'

const personGone = { type: 'ValueError', module: 'builtins', args: ['The prediction was erased'] } as const
const notStored = {
  type: 'RuntimeError',
  module: 'builtins',
  args: ['The call could not be stored; see the log of the worker'],
} as const

/** Why a call that is not known was not stored. */
const failureOf = ({ externalId }: NewCeleryCall) =>
  externalId === undefined ? personGone : foreignPrediction(externalId)

/** A call that has become a batch. */
interface BatchOfCall {
  readonly taskId: string
  readonly eta: Date | undefined
}

/** Stores calls with their tasks, and begins with what is stored: tasks are enqueued, failures delivered. */
@Injectable()
export class CallStore {
  private readonly rejections: SampledLines

  constructor(
    private readonly calls: CeleryCallRepository,
    private readonly starts: DirectStarts,
    private readonly taken: TakenCalls,
    private readonly delivery: ResultDelivery,
    @Inject(WORKER_NAME) private readonly worker: string,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    const furtherMessage = 'further Celery calls rejected within a second'
    this.rejections = new SampledLines(log, {
      level: 'warn',
      message: 'Celery call rejected',
      perSecond: 20,
      furtherMessage,
    })
  }

  /** Stores calls, each once however often it comes. @throws while the database is unavailable. */
  async store(calls: readonly NewCeleryCall[]): Promise<void> {
    if (calls.length === 0) return
    await togetherOrEach(
      calls,
      (some) => this.storeTogether(some),
      (call, error) => this.storeFailed(call, error),
    )
  }

  /** Links a call to its batch, which is stored and enqueued. */
  async storeBatch(call: NewCeleryCall, request: CallRequest, { taskId, eta }: BatchOfCall): Promise<void> {
    await this.calls.storeBatch(call, { taskId, gateway: this.worker, eta })
    this.taken.add(taskId, { request, isScheduled: eta !== undefined })
  }

  /** Keeps a call that PostgreSQL refuses as one that has failed. */
  private async storeFailed(call: NewCeleryCall, error: unknown): Promise<void> {
    if (call.failure === notStored) throw error
    this.log.error({ err: error, call: call.celeryId, name: call.name }, 'Celery call not stored')
    await this.store([{ ...call, task: undefined, failure: notStored }])
  }

  private async storeTogether(calls: readonly NewCeleryCall[]): Promise<void> {
    // One statement cannot store two calls of the same id.
    const distinct = [...new Map(calls.map((call) => [call.celeryId, call])).values()]
    const stored = await this.calls.store(distinct, this.worker)
    const byId = new Map(stored.map((call) => [call.celeryId, call]))
    this.begin(distinct, byId)
    const missing = distinct.filter(({ celeryId }) => !byId.has(celeryId))
    if (missing.length === 0) return
    const known = await this.calls.listKnown(missing.map(({ celeryId }) => celeryId))
    const gone = missing.filter(({ celeryId }) => !known.has(celeryId))
    await this.store(gone.map((call) => ({ ...call, task: undefined, failure: failureOf(call) })))
  }

  private begin(calls: readonly NewCeleryCall[], stored: ReadonlyMap<string, StoredCall>): void {
    const failed: string[] = []
    const ended: string[] = []
    for (const { celeryId, request, task, name, failure } of calls) {
      const row = stored.get(celeryId)
      if (!row) continue
      if (failure) {
        failed.push(celeryId)
        this.rejections.add(() => ({ call: celeryId, name, type: failure.type, reason: failure.args[0] }))
      }
      if (!row.taskId || request === null) continue
      this.taken.add(row.taskId, { request: readRequest(request), isScheduled: task?.availableAt !== undefined })
      if (row.task) this.starts.start(row.task)
      else ended.push(row.taskId)
    }
    if (failed.length + ended.length > 0) this.delivery.deliver(ended, failed)
  }
}
