import type { AttemptEnd, ClaimedTask } from '#libs/database'
import { shownName } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client'

/** Metrics of a worker, without identifiers in any label. */
@Injectable()
export class WorkerMetrics {
  readonly registry = new Registry()
  /** Ended attempts since the start, by outcome. */
  readonly totals = { processed: 0, succeeded: 0, failed: 0, retried: 0 }

  private readonly ended = new Counter({
    name: 'memoryguard_task_attempts_total',
    help: 'Ended attempts by task and outcome',
    labelNames: ['task', 'outcome'] as const,
    registers: [this.registry],
  })
  private readonly runSeconds = new Histogram({
    name: 'memoryguard_batch_run_seconds',
    help: 'Time from the claim of a batch to its stored results',
    labelNames: ['task'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30, 300, 1800],
    registers: [this.registry],
  })
  private readonly batchSize = new Histogram({
    name: 'memoryguard_batch_size',
    help: 'Tasks that shared one claim, one inference call and one result write',
    labelNames: ['task'] as const,
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
    registers: [this.registry],
  })

  constructor() {
    collectDefaultMetrics({ register: this.registry })
  }

  observeGroup(group: readonly ClaimedTask[], succeeded: number, ends: readonly AttemptEnd[], seconds: number): void {
    const [first] = group
    if (!first) return
    const task = shownName(first.name)
    this.runSeconds.observe({ task }, seconds)
    this.batchSize.observe({ task }, group.length)
    if (succeeded > 0) this.ended.inc({ task, outcome: 'succeeded' }, succeeded)
    for (const { outcome } of ends) this.ended.inc({ task, outcome })
    this.totals.processed += group.length
    this.totals.succeeded += succeeded
    this.totals.retried += ends.filter(({ outcome }) => outcome === 'retried').length
    this.totals.failed += ends.filter(({ state }) => state === 'failed' || state === 'timed_out').length
  }
}
