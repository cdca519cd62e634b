import { isDatabaseUnavailable, type SeenWorker } from '#libs/database'
import { addReadMetric, SharedResult, type Samples } from '#libs/health'
import { withinTime } from '#libs/platform'
import { Enqueuer, QueueStandings, type QueueStanding } from '#libs/tasks'
import { Injectable } from '@nestjs/common'
import { ApiMetrics } from './api-metrics.js'

/** Longest time that a reading of the metrics waits for the database, in milliseconds. */
const readMs = 3_000

/** What the database says of queues and workers at one moment. */
interface Reading {
  readonly queues: readonly QueueStanding[]
  readonly workers: readonly SeenWorker[]
}

/**
 * Gauges of queues and workers, read from the database when the metrics are. Every api shows the same ones. While the
 * database does not respond they are absent, and `memoryguard_database_up` is 0.
 */
@Injectable()
export class QueueGauges {
  private readonly reading = new SharedResult(() => this.read())

  constructor(
    private readonly metrics: ApiMetrics,
    private readonly standings: QueueStandings,
    enqueuer: Enqueuer,
  ) {
    enqueuer.onEnqueued = (seconds) => metrics.observeEnqueue(seconds)
    this.add('memoryguard_database_up', 'Whether the database responded: 1 or 0', [], (reading) => [
      [{}, reading ? 1 : 0],
    ])
    this.addOfQueues('tasks', 'Unfinished tasks by state', ['state'], ({ queue, depth }) =>
      Object.entries(depth).map(([state, count]) => [{ queue, state }, count]),
    )
    const ofQueue = (name: string, help: string, valueOf: (standing: QueueStanding) => number) =>
      this.addOfQueues(name, help, [], (standing) => [[{ queue: standing.queue }, valueOf(standing)]])
    ofQueue('waiting_tasks', 'Tasks that could start and have not', ({ waiting }) => waiting)
    ofQueue('oldest_waiting_seconds', 'Age of the oldest of them; 0 without any', (standing) =>
      standing.waiting > 0 ? (standing.oldestWaitingSeconds ?? 0) : 0,
    )
    ofQueue('consumers', 'Live workers that consume the queue', ({ consumers }) => consumers.length)
    ofQueue('slots', 'Tasks that these workers can run at once', ({ slots }) => slots)
    ofQueue('busy_slots', 'Tasks that they run, of whatever queue', ({ busy }) => busy)
    ofQueue('paused', 'Whether the queue is paused: 1 or 0', ({ isPaused }) => (isPaused ? 1 : 0))
    this.add(
      'memoryguard_workers',
      'Workers of the last day by state: starting, ready, draining, stopped, stale',
      ['state'],
      (reading) =>
        workerStates.map((state) => [
          { state },
          reading?.workers.filter((seen) => stateOf(seen) === state).length ?? 0,
        ]),
    )
  }

  private addOfQueues(
    name: string,
    help: string,
    labelNames: readonly string[],
    samplesOf: (standing: QueueStanding) => Samples,
  ): void {
    this.add(`memoryguard_queue_${name}`, help, ['queue', ...labelNames], (reading) =>
      (reading?.queues ?? []).flatMap(samplesOf),
    )
  }

  private add(
    name: string,
    help: string,
    labelNames: readonly string[],
    samplesOf: (reading: Reading | undefined) => Samples,
  ): void {
    const description = { name, help, labelNames }
    addReadMetric(this.metrics.registry, 'gauge', description, async () => samplesOf(await this.reading.get()))
  }

  private async read(): Promise<Reading | undefined> {
    try {
      return await withinTime(this.standings.readWithWorkers(), readMs, undefined)
    } catch (error) {
      if (isDatabaseUnavailable(error)) return undefined
      throw error
    }
  }
}

const workerStates = ['starting', 'ready', 'draining', 'stopped', 'stale'] as const

const stateOf = ({ worker, isStale }: SeenWorker): string => (isStale ? 'stale' : worker.state)
