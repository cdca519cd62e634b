import type { AttemptEnd, ClaimedTask } from '#libs/database'
import { addReadMetric, createCounter, createProcessMetrics } from '#libs/health'
import type { ComputePool } from '#libs/ml'
import { shownName } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import { Counter, Histogram } from 'prom-client'

/** Upper bounds in seconds, from what is quick to the default hard limit. */
const runBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30, 300, 1800]
const waitBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30, 300, 1800, 7200]

/** What is read when the metrics are. */
export interface WorkerGauges {
  /** Tasks that it can run at once, and those that it runs. */
  readonly slots: () => number
  readonly active: () => number
  readonly pool: ComputePool
}

/** Metrics of a worker, without identifiers in any label. */
@Injectable()
export class WorkerMetrics {
  readonly registry = createProcessMetrics()
  /** Ended attempts since the start, by outcome. */
  readonly totals = { processed: 0, succeeded: 0, failed: 0, retried: 0 }
  /** Attempts since the start, by task. */
  readonly processedByTask = new Map<string, number>()
  private gauges: WorkerGauges | undefined

  private readonly registers = [this.registry]
  private readonly ended = new Counter({
    name: 'memoryguard_task_attempts_total',
    help: 'Ended attempts by task and outcome',
    labelNames: ['task', 'outcome'] as const,
    registers: this.registers,
  })
  private readonly waitSeconds = new Histogram({
    name: 'memoryguard_task_wait_seconds',
    help: 'Time from when an attempt could start to its claim',
    labelNames: ['task'] as const,
    buckets: waitBuckets,
    registers: this.registers,
  })
  private readonly runSeconds = new Histogram({
    name: 'memoryguard_batch_run_seconds',
    help: 'Time from the claim of tasks that are run together to their stored results',
    labelNames: ['task'] as const,
    buckets: runBuckets,
    registers: this.registers,
  })
  private readonly batchSize = new Histogram({
    name: 'memoryguard_batch_size',
    help: 'Tasks that shared one claim, one inference call and one result write',
    labelNames: ['task'] as const,
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
    registers: this.registers,
  })
  private readonly inferenceSeconds = new Histogram({
    name: 'memoryguard_inference_seconds',
    help: 'Time of one call of a model, in a compute child; kind is run or explain',
    labelNames: ['model', 'kind'] as const,
    buckets: runBuckets,
    registers: this.registers,
  })
  private readonly inferredRows = new Counter({
    name: 'memoryguard_inference_rows_total',
    help: 'Rows that models have computed',
    labelNames: ['model', 'kind'] as const,
    registers: this.registers,
  })
  private readonly deliveries = createCounter(this.registry, {
    name: 'memoryguard_webhook_deliveries_total',
    help: 'Attempts to deliver a webhook message by outcome: delivered, retried, failed',
    label: 'outcome',
    values: ['delivered', 'retried', 'failed'],
  })

  constructor() {
    const { registry } = this
    this.addGauge('memoryguard_worker_slots', 'Tasks that the worker can run at once', ({ slots }) => slots())
    this.addGauge('memoryguard_worker_active_tasks', 'Tasks that the worker runs', ({ active }) => active())
    const memory = {
      name: 'memoryguard_compute_child_memory_bytes',
      help: 'Resident memory of each compute child after its last call',
      labelNames: ['child'],
    }
    addReadMetric(registry, 'gauge', memory, () =>
      (this.gauges?.pool.children ?? []).map(({ rssBytes }, index) => [{ child: String(index + 1) }, rssBytes]),
    )
    const restarts = {
      name: 'memoryguard_compute_child_restarts_total',
      help: 'Compute children that were replaced: after max_tasks or max_memory, by an operator, at the hard_limit, or because they crashed',
      labelNames: ['reason'],
    }
    addReadMetric(registry, 'counter', restarts, () =>
      Object.entries(this.gauges?.pool.replaced ?? {}).map(([reason, count]) => [{ reason }, count]),
    )
  }

  /** Sets where gauges are read, and measures the calls of models. */
  watch(gauges: WorkerGauges): void {
    this.gauges = gauges
    gauges.pool.onComputed = (kind, model, rows, seconds) => {
      this.inferenceSeconds.observe({ model, kind }, seconds)
      this.inferredRows.inc({ model, kind }, rows)
    }
  }

  observeGroup(group: readonly ClaimedTask[], succeeded: number, ends: readonly AttemptEnd[], seconds: number): void {
    const [first] = group
    if (!first) return
    const task = shownName(first.name)
    this.runSeconds.observe({ task }, seconds)
    this.batchSize.observe({ task }, group.length)
    const waits = this.waitSeconds.labels({ task })
    for (const { waitMs } of group) waits.observe(Math.max(0, waitMs) / 1000)
    if (succeeded > 0) this.ended.inc({ task, outcome: 'succeeded' }, succeeded)
    for (const { outcome } of ends) this.ended.inc({ task, outcome })
    this.processedByTask.set(task, (this.processedByTask.get(task) ?? 0) + group.length)
    this.totals.processed += group.length
    this.totals.succeeded += succeeded
    this.totals.retried += ends.filter(({ outcome }) => outcome === 'retried').length
    this.totals.failed += ends.filter(({ state }) => state === 'failed' || state === 'timed_out').length
  }

  countDelivery(outcome: 'delivered' | 'retried' | 'failed'): void {
    this.deliveries.inc({ outcome })
  }

  private addGauge(name: string, help: string, read: (gauges: WorkerGauges) => number): void {
    addReadMetric(this.registry, 'gauge', { name, help }, () => (this.gauges ? [[{}, read(this.gauges)]] : []))
  }
}
