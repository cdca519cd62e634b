import { CeleryCallRepository, isDatabaseUnavailable, type EndedCeleryCall } from '#libs/database'
import { LOGGER, PeriodicLoop, type Logger } from '#libs/platform'
import { FinishedTasks } from '#libs/tasks'
import { Inject, Injectable } from '@nestjs/common'
import { ResultPublisher, retrySeconds } from './result-publisher.js'
import { TakenCalls } from './taken-calls.js'

/** Calls whose results are published together. */
const batchSize = 256
/** A delivery that failed is tried again so much after it may be, in milliseconds. */
const marginMs = 100
/** Interval between two reads of ended tasks that this worker did not take, in milliseconds. */
const strangersMs = 1_000
/** How often every open call is read, in milliseconds: what a lost notification has left is found by it. */
const sweepMs = 30_000
/** More ids than that are not kept: the sweep finds them. */
const maxStrangers = 50_000

/**
 * Publishes the results of ended calls, whoever ran them. What is to be published stands in the database until that has
 * happened: after a crash, or an outage of Redis, another gateway or this one goes on.
 */
@Injectable()
export class ResultDelivery {
  private readonly tasks = new Set<string>()
  private readonly calls = new Set<string>()
  private strangers = new Set<string>()
  private readonly loop: PeriodicLoop
  private readonly strangersLoop: PeriodicLoop
  private readonly sweepLoop: PeriodicLoop
  private delivering: Promise<void> | undefined
  private unsubscribe: () => void = () => undefined

  constructor(
    private readonly repository: CeleryCallRepository,
    private readonly publisher: ResultPublisher,
    private readonly taken: TakenCalls,
    private readonly finished: FinishedTasks,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    const levelOf = (error: unknown) => (isDatabaseUnavailable(error) ? 'warn' : 'error')
    const failure = 'results for Celery callers not published; trying again'
    this.loop = new PeriodicLoop(
      {
        name: 'celery results',
        intervalMs: strangersMs,
        run: async () => this.delivering ?? this.deliverKnown(),
        failure,
        levelOf,
      },
      log,
    )
    this.strangersLoop = new PeriodicLoop(
      {
        name: 'celery results of others',
        intervalMs: strangersMs,
        run: () => this.deliverStrangers(),
        failure,
        levelOf,
      },
      log,
    )
    this.sweepLoop = new PeriodicLoop(
      { name: 'celery results left', intervalMs: sweepMs, run: () => this.sweep(), failure, levelOf },
      log,
    )
  }

  async start(): Promise<void> {
    await this.finished.start()
    this.unsubscribe = this.finished.subscribe((ids) => this.notify(ids))
    this.loop.start()
    this.strangersLoop.start()
    this.sweepLoop.start(0)
  }

  /** Publishes what has ended, and stops. */
  async stop(): Promise<void> {
    this.unsubscribe()
    await Promise.all([this.loop.stop(), this.strangersLoop.stop(), this.sweepLoop.stop()])
    await this.deliverKnown().catch((error: unknown) => {
      this.log.warn({ err: error }, 'results for Celery callers not published; another worker will')
    })
  }

  /** Publishes the results of ended tasks of calls, and of calls that failed without a task. */
  deliver(taskIds: readonly string[], callIds: readonly string[]): void {
    for (const id of taskIds) this.tasks.add(id)
    for (const id of callIds) this.calls.add(id)
    this.deliverSoon()
  }

  private notify(taskIds: readonly string[]): void {
    for (const id of taskIds) {
      if (this.taken.find(id)) this.tasks.add(id)
      else if (this.strangers.size < maxStrangers) this.strangers.add(id)
    }
    if (this.tasks.size > 0) this.deliverSoon()
  }

  /** What ends while results are being published goes with the next ones. */
  private deliverSoon(): void {
    this.delivering ??= this.deliverKnown()
      .catch((error: unknown) => {
        this.log.debug({ err: error }, 'results for Celery callers not published; trying again')
      })
      .finally(() => (this.delivering = undefined))
  }

  private async deliverKnown(): Promise<void> {
    while (this.tasks.size + this.calls.size > 0) {
      const taskIds = [...this.tasks].slice(0, batchSize)
      const callIds = [...this.calls].slice(0, batchSize)
      const ended = await this.repository.takeEnded(taskIds, callIds, 2 * batchSize)
      for (const id of taskIds) this.tasks.delete(id)
      for (const id of callIds) this.calls.delete(id)
      await this.publish(ended)
      for (const id of taskIds) this.taken.end(id)
    }
  }

  private async deliverStrangers(): Promise<void> {
    const ids = [...this.strangers]
    this.strangers = new Set()
    for (let start = 0; start < ids.length; start += 5_000) {
      await this.publish(await this.repository.takeEnded(ids.slice(start, start + 5_000), [], batchSize))
    }
  }

  private async sweep(): Promise<number | undefined> {
    const ended = await this.repository.takeAnyEnded(batchSize)
    await this.publish(ended)
    const taken = this.taken.taskIds
    const undelivered = await this.repository.listUndelivered(taken)
    for (const id of taken) if (!undelivered.has(id)) this.taken.end(id)
    return ended.length === batchSize ? strangersMs : undefined
  }

  private async publish(calls: readonly EndedCeleryCall[]): Promise<void> {
    const failed = await this.publisher.publish(calls)
    if (failed.length === 0) return
    const again = () =>
      this.deliver(
        failed.flatMap(({ task }) => task?.id ?? []),
        failed.flatMap(({ id, task }) => (task ? [] : [id])),
      )
    setTimeout(again, retrySeconds * 1000 + marginMs).unref()
  }
}
