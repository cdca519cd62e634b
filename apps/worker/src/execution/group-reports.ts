import type { AttemptEnd, ClaimedTask } from '#libs/database'
import { Tracing } from '#libs/platform'
import { FinishedLines } from '#libs/tasks'
import { computeBatchChunk, shownName } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import { WorkerMetrics } from '../health/worker-metrics.js'

const finalStates = new Set(['succeeded', 'failed', 'cancelled', 'timed_out', 'expired'])

/** One group of tasks whose attempts have ended, and when it passed its steps, by `performance.now()`. */
export interface EndedGroup {
  readonly tasks: readonly ClaimedTask[]
  /** How many were computed. */
  readonly computed: number
  /** Ids of those whose result was stored. */
  readonly stored: ReadonlySet<string>
  /** The ends of the others. */
  readonly ends: readonly AttemptEnd[]
  readonly claimMs: number
  readonly computeMs: number
  readonly storeMs: number
  readonly endMs: number
}

/** Reports what became of each group: in the metrics, the log and, if it is on, the traces. */
@Injectable()
export class GroupReports {
  constructor(
    private readonly metrics: WorkerMetrics,
    private readonly lines: FinishedLines,
    private readonly tracing: Tracing,
  ) {}

  report(group: EndedGroup): void {
    const { tasks, computed, ends, computeMs, endMs } = group
    this.metrics.observeGroup(tasks, computed, ends, (endMs - computeMs) / 1000)
    this.logFinished(group)
    if (this.tracing.isOn) this.trace(group)
  }

  /** Logs the tasks that have finished; others run again. */
  private logFinished({ tasks, stored, ends, computeMs, endMs }: EndedGroup): void {
    for (const { id, name, queue, attempt, waitMs, prediction, args } of tasks) {
      const state = stored.has(id) ? 'succeeded' : ends.find((end) => end.id === id)?.state
      if (state === undefined || !finalStates.has(state)) continue
      this.lines.add(() => ({
        task: id,
        name: shownName(name),
        queue,
        state,
        attempt,
        wait_ms: waitMs,
        duration_ms: Math.round(endMs - computeMs),
        ...(prediction && { prediction: Number(prediction.id) }),
        // The id of a batch is that of the task that was submitted.
        ...(name === computeBatchChunk.name && { batch: args['batch_id'] }),
      }))
    }
  }

  /**
   * Records, below the request that submitted a task, its claim, computation and storing, which it shared with the others
   * of its group. A chunk of a batch, of which there may be thousands, begins a trace of its own that links to the request.
   */
  private trace({ tasks, ends, ...times }: EndedGroup): void {
    const epoch = Date.now() - performance.now()
    const claimMs = epoch + times.claimMs
    const computeMs = epoch + times.computeMs
    const storeMs = epoch + times.storeMs
    const endMs = epoch + times.endMs
    for (const { id, name, queue, attempt, traceparent, waitMs, prediction } of tasks) {
      if (traceparent === null) continue
      const error = ends.find((end) => end.id === id)?.errorCode
      const span = this.tracing.begin({
        name: `process ${shownName(name)}`,
        kind: 'consumer',
        startMs: claimMs,
        ...(name === computeBatchChunk.name ? { links: [traceparent] } : { parent: traceparent }),
        attributes: {
          'messaging.system': 'bullmq',
          'messaging.destination.name': queue,
          'messaging.batch.message_count': tasks.length,
          'memoryguard.task.id': id,
          'memoryguard.task.attempt': attempt,
          'memoryguard.task.wait_ms': waitMs,
          ...(prediction && { 'memoryguard.model': prediction.model }),
        },
      })
      if (!span) continue
      const addStep = (step: string, startMs: number, stepEndMs: number) =>
        this.tracing
          .begin({ name: step, kind: 'internal', parent: span.traceparent, startMs })
          ?.end({ endMs: stepEndMs })
      addStep('claim', claimMs, computeMs)
      addStep('compute', computeMs, storeMs)
      addStep('store', storeMs, endMs)
      span.end({ endMs, ...(error !== undefined && { error }) })
    }
  }
}
