import { setTimeout as pause } from 'node:timers/promises'
import { CONFIG, LOGGER, reasonOf, type CeleryConfig, type Config, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { Consumers } from '../processors/consumers.js'
import { tasksOf } from './celery-tasks.js'
import { MessageKeeper } from './message-keeper.js'
import { MessageSource } from './message-source.js'
import { QueueWakers } from './queue-wakers.js'
import { TakenCalls } from './taken-calls.js'

/** Most messages of one round. */
const roundSize = 256
/** How long a round without messages is followed by none, in milliseconds, unless one comes into a list. */
const idleMs = 50
/**
 * A round that takes longer and finds nothing reads much of others' in Redis, which is busy so long: it is followed by a
 * pause of so many times what it took, of at most so much, in milliseconds.
 */
const slowMs = 50
const slowFactor = 10
const longestPauseMs = 2_000
/** Pause after a failure, in milliseconds. */
const failureMs = 1_000

/** Takes calls from Celery's queues, as many as this worker can use. */
@Injectable()
export class ClaimLoop {
  private readonly names: string[]
  private running: Promise<void> | undefined
  private hasStopped = false
  private hasFailed = false
  /** No call may be taken before another one has ended. */
  private isFull = false

  constructor(
    private readonly source: MessageSource,
    private readonly keeper: MessageKeeper,
    private readonly wakers: QueueWakers,
    private readonly taken: TakenCalls,
    private readonly consumers: Consumers,
    @Inject(CONFIG) config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.names = [...(config.celery as CeleryConfig).queues]
  }

  /** Celery queues that are consumed. */
  get queueNames(): readonly string[] {
    return this.names
  }

  addQueue(name: string): void {
    if (!this.names.includes(name)) this.names.push(name)
  }

  cancelQueue(name: string): void {
    const index = this.names.indexOf(name)
    if (index >= 0) this.names.splice(index, 1)
  }

  start(): void {
    this.taken.whenRoom(() => {
      if (this.isFull) this.wakers.wake()
    })
    this.keeper.start()
    this.running = this.run()
  }

  /** Takes no further messages; resolves when those taken are stored. */
  async stop(): Promise<void> {
    this.hasStopped = true
    this.wakers.wake()
    await this.running
    this.wakers.stop()
    await this.keeper.stop()
  }

  private async run(): Promise<void> {
    while (!this.hasStopped) {
      try {
        await this.round()
        if (this.hasFailed) this.log.info('Celery calls are taken again')
        this.hasFailed = false
      } catch (error) {
        if (!this.hasFailed) this.log.warn({ err: error }, `Celery calls not taken: ${reasonOf(error)}; trying again`)
        this.hasFailed = true
        await pause(failureMs)
      }
    }
  }

  /** Takes what there is room for; waits when there is no room, or nothing to take. */
  private async round(): Promise<void> {
    const tasks = tasksOf(this.consumers.queues)
    const room = Math.min(roundSize, this.taken.room)
    this.isFull = room <= 0
    if (tasks.length === 0 || this.isFull) return this.wakers.wait([], idleMs)
    this.wakers.beginLook()
    const startMs = performance.now()
    const messages = await this.source.take(this.names, tasks, room)
    const tookMs = performance.now() - startMs
    if (messages.length === 0) {
      if (tookMs > slowMs) return this.wakers.wait([], Math.min(tookMs * slowFactor, longestPauseMs))
      return this.wakers.wait(this.names, idleMs)
    }
    this.wakers.endLook()
    await this.keeper.store(messages, this.consumers.queues)
  }
}
