import {
  bareRequest,
  CeleryEvents,
  isUsableText,
  requestText,
  type CeleryMessage,
  type DecodedMessage,
  type MessageHeading,
} from '#libs/celery'
import { BatchSubmitter } from '#libs/calls'
import { CeleryRevokeRepository, isDatabaseUnavailable, type NewCeleryCall } from '#libs/database'
import { LOGGER, MemoryGuardError, type Logger, type QueueName } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { v7 as uuidv7 } from 'uuid'
import { callOf, CallPlanner, exceptionOf, failedCall, type BatchCallPlan } from './call-planner.js'
import { CallStore } from './call-store.js'
import { togetherOrEach } from './together-or-each.js'

/** Keeps the idempotency keys of Celery callers, which are Celery's ids, apart from those of others. */
const scope = 'celery'

/** A decoded message with its text, and the tag under which it is noted as taken. */
export type TakenMessage = DecodedMessage & { readonly raw: string; readonly tag: string | undefined }

/** Turns messages into stored tasks. When `take` returns, the messages may be acknowledged. */
@Injectable()
export class CallIntake {
  constructor(
    private readonly planner: CallPlanner,
    private readonly calls: CallStore,
    private readonly revokes: CeleryRevokeRepository,
    private readonly batches: BatchSubmitter,
    private readonly events: CeleryEvents,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** @throws while the database is unavailable: then nothing may be acknowledged. */
  async take(decoded: readonly TakenMessage[], queues: readonly QueueName[]): Promise<void> {
    await togetherOrEach(
      decoded,
      (messages) => this.takeTogether(messages, queues),
      (message, error) => this.keepUnused(message, error),
    )
  }

  private async keepUnused({ raw, tag, heading }: TakenMessage, error: unknown): Promise<void> {
    this.log.error({ err: error, call: heading.id, name: heading.task }, 'Celery call not taken; its message is kept')
    await this.calls.store([deadLetter({ raw, tag, heading, reason: 'The call failed; see the log of the worker.' })])
  }

  private async takeTogether(decoded: readonly TakenMessage[], queues: readonly QueueName[]): Promise<void> {
    const unread = decoded.flatMap((each) => ('reason' in each ? [deadLetter(each)] : []))
    const read = decoded.flatMap((each) => ('message' in each ? [each.message] : []))
    await this.calls.store(unread)
    // What is about a prediction may come right after the call that makes it.
    const isFirst = ({ task }: CeleryMessage) => task === 'ml.process_prediction'
    for (const wave of [read.filter(isFirst), read.filter((message) => !isFirst(message))]) {
      if (wave.length > 0) await this.takeWave(wave, queues)
    }
  }

  private async takeWave(messages: readonly CeleryMessage[], queues: readonly QueueName[]): Promise<void> {
    const plan = await this.planner.plan(messages, queues)
    for (const message of messages) this.reportReceived(message)
    await this.calls.store(plan.calls)
    for (const batch of plan.batches) await this.storeBatch(batch)
  }

  /** A batch is stored in several statements. Its id makes it one batch however often the message comes. */
  private async storeBatch({ message, people }: BatchCallPlan): Promise<void> {
    const { id, request, eta, expires } = message
    const call = callOf(message)
    const isRevoked = await this.revokes.isRevoked([id, ...call.stamps])
    if (isRevoked || (expires && expires.getTime() <= Date.now())) {
      const args = [isRevoked ? 'revoked' : 'expired']
      await this.calls.store([failedCall(message, { type: 'TaskRevokedError', module: 'celery.exceptions', args })])
      return
    }
    try {
      const start = { availableAt: eta, expiresAt: expires, priority: request.priority }
      const { taskId } = await this.batches.submitCall(people, { idempotencyKey: id, scope, start })
      await this.calls.storeBatch(call, request, { taskId, eta })
    } catch (error) {
      // The same id was used for another batch: that one has its result.
      if (error instanceof MemoryGuardError && error.code === 'IDEMPOTENCY_KEY_REUSED') return
      if (isDatabaseUnavailable(error)) throw error
      await this.calls.store([failedCall(message, exceptionOf(error))])
    }
  }

  private reportReceived({ id, task, request, eta, expires }: CeleryMessage): void {
    const { rootId, parentId, retries } = request
    this.events.task(id, { type: 'task-received', task, rootId, parentId, retries, eta, expires })
  }
}

/** A message that cannot be read, with the reason. */
const deadLetter = ({
  raw,
  tag = uuidv7(),
  heading: { id, task, queue },
  reason,
}: {
  readonly raw: string
  readonly tag: string | undefined
  readonly heading: MessageHeading
  readonly reason: string
}): NewCeleryCall => ({
  // However often it comes, it is kept once.
  celeryId: id !== undefined && isUsableText(id) ? id : `unread:${isUsableText(tag) ? tag : uuidv7()}`,
  name: task !== undefined && isUsableText(task) ? task : 'unknown',
  celeryQueue: queue,
  // Without an id nobody waits for a result.
  request: id === undefined ? null : requestText(bareRequest(id, task ?? '', queue)),
  stamps: [],
  failure: { type: 'DecodeError', module: 'kombu.exceptions', args: [reason] },
  raw: Buffer.from(raw),
})
