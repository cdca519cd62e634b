import type { CallRequest } from '#libs/celery'
import { CONFIG, type CeleryConfig, type Config } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { TaskRunner } from '../execution/task-runner.js'

/** What finished within this time is taken anew at once, in milliseconds. */
const paceMs = 250

/** A call of this worker's that has not ended. */
export interface TakenCall {
  readonly request: CallRequest
  /** It waits for its time, which takes no place of others. */
  readonly isScheduled: boolean
}

/**
 * The calls that this process has taken and that have not ended, by task. Their number is bounded, so that the backlog
 * stays where Celery's tools count it: what is slow to compute waits in Redis, what is fast is taken in large groups.
 */
@Injectable()
export class TakenCalls {
  private readonly calls = new Map<string, TakenCall>()
  private scheduled = 0
  private ends: number[] = []
  private onRoom: () => void = () => undefined
  private readonly multiplier: number

  constructor(
    @Inject(CONFIG) config: Config,
    private readonly runner: TaskRunner,
  ) {
    this.multiplier = (config.celery as CeleryConfig).prefetchMultiplier
  }

  /** Most calls without an `eta` that may be taken and not finished; 0 stands for no limit. */
  get prefetchCount(): number {
    return this.multiplier * this.runner.concurrency
  }

  /** How many more calls may be taken now. */
  get room(): number {
    if (this.multiplier === 0) return Infinity
    const since = performance.now() - paceMs
    this.ends = this.ends.filter((at) => at >= since)
    return Math.max(0, this.prefetchCount + this.ends.length - (this.calls.size - this.scheduled))
  }

  get taskIds(): readonly string[] {
    return [...this.calls.keys()]
  }

  find(taskId: string): TakenCall | undefined {
    return this.calls.get(taskId)
  }

  add(taskId: string, call: TakenCall): void {
    if (this.calls.has(taskId)) return
    this.calls.set(taskId, call)
    if (call.isScheduled) this.scheduled += 1
  }

  /** Forgets a call that has ended; nothing happens if it was none of these. */
  end(taskId: string): void {
    const call = this.calls.get(taskId)
    if (!call) return
    this.calls.delete(taskId)
    if (call.isScheduled) this.scheduled -= 1
    this.ends.push(performance.now())
    this.onRoom()
  }

  /** Calls back whenever a call has ended. */
  whenRoom(callback: () => void): void {
    this.onRoom = callback
  }
}
