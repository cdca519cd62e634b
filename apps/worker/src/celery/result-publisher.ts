import {
  bareRequest,
  CeleryEvents,
  CeleryResults,
  exceptionRepr,
  readRequest,
  UnusableSignature,
  type EndedCall,
} from '#libs/celery'
import { CeleryCallRepository, type EndedCeleryCall } from '#libs/database'
import { LOGGER, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { CallOutcomes } from './call-outcomes.js'

/** A delivery that failed may be tried again after this time, in seconds. */
export const retrySeconds = 1

/** Publishes the results of calls that this gateway has taken from the outbox, and marks them as delivered. */
@Injectable()
export class ResultPublisher {
  private isFailing = false

  constructor(
    private readonly repository: CeleryCallRepository,
    private readonly outcomes: CallOutcomes,
    private readonly results: CeleryResults,
    private readonly events: CeleryEvents,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** Returns the calls that are to be tried again. */
  async publish(calls: readonly EndedCeleryCall[]): Promise<readonly EndedCeleryCall[]> {
    if (calls.length === 0) return []
    // Nobody waits for what had no id.
    const awaited = calls.filter(({ request, failure }) => request !== null || failure === null)
    const ended = await Promise.all(awaited.map((call) => this.toEnded(call)))
    const errors = ended.length > 0 ? await this.results.finish(ended) : []
    const failed = awaited.filter((_, index) => this.isToRepeat(errors[index]))
    this.isFailing = failed.length > 0
    await this.repository.postpone(
      failed.map(({ id }) => id),
      retrySeconds,
    )
    const delivered = calls.filter((call) => !failed.includes(call))
    await this.repository.markDelivered(delivered.map(({ id }) => id))
    awaited.forEach((call, index) => {
      const outcome = ended[index]?.outcome
      if (outcome && !failed.includes(call)) this.report(call, outcome)
    })
    return failed
  }

  /** What follows from a call may be a signature that nobody can call: to try that again would not help. */
  private isToRepeat(error: Error | undefined): boolean {
    if (!error) return false
    if (error instanceof UnusableSignature) {
      this.log.warn({ err: error }, 'what follows from a Celery call cannot be called')
      return false
    }
    if (!this.isFailing) this.log.warn({ err: error }, 'results for Celery callers not published; trying again')
    this.isFailing = true
    return true
  }

  private async toEnded(call: EndedCeleryCall): Promise<EndedCall> {
    const { id, name, queue, request } = call
    const outcome = await this.outcomes.read(call)
    return { request: request === null ? bareRequest(id, name, queue) : readRequest(request), outcome }
  }

  private report({ id, task }: EndedCeleryCall, outcome: EndedCall['outcome']): void {
    if (outcome.state === 'SUCCESS') {
      const runtimeMs = task?.startedAt && task.finishedAt ? task.finishedAt.getTime() - task.startedAt.getTime() : 0
      this.events.task(id, { type: 'task-succeeded', runtimeSeconds: runtimeMs / 1000 })
    } else if (outcome.state === 'FAILURE') {
      const { exception, traceback } = outcome
      // An error in the arguments is found before there is a task; a Python worker finds it when it runs the call.
      if (!task && exception.module === 'builtins') this.events.task(id, { type: 'task-started' })
      this.events.task(id, { type: 'task-failed', exception: exceptionRepr(exception), traceback })
    } else {
      const word = outcome.exception.args[0]
      this.events.task(id, { type: 'task-revoked', terminated: word === 'terminated', expired: word === 'expired' })
    }
  }
}
