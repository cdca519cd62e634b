import type { Redis } from 'ioredis'
import type { CeleryConnections } from '../connection.js'
import {
  acknowledgeMessages,
  claimMessages,
  giveBackMessages,
  keepMessages,
  listHeldMessages,
  peekMessages,
  takeMessage,
} from './claim.lua.js'

/** kombu appends this and the step to the name of a list for priorities above 0. */
const prioritySeparator = '\x06\x16'
/** A priority goes to the largest step that is not above it; smaller ones are served first. */
const prioritySteps = [0, 3, 6, 9]

/** The list of a queue for calls of a priority, without the prefix of keys. */
export const listOf = (queue: string, priority: number): string => {
  const step = prioritySteps.findLast((each) => each <= priority) ?? 0
  return step === 0 ? queue : `${queue}${prioritySeparator}${step}`
}

/** The queue of a list. */
export const queueOf = (list: string): string => list.split(prioritySeparator, 1)[0] ?? list

/** So much of a list is read for each message that is looked at, in bytes: larger ones of others are a burden for Redis. */
const bytesOfMessage = 16 * 1024
/** How much of a list is read to find what nobody knows, in bytes. */
const peekedBytes = 2 * 1024 * 1024

/** One of the lists of a queue. */
interface QueueList {
  readonly queue: string
  readonly list: string
}

/** A message in the form in which it stands in Redis. */
export interface RawMessage {
  readonly raw: string
  /** The queue of its list. */
  readonly queue: string
  readonly list: string
  /** Under this it is noted as taken; undefined if it is not. */
  readonly tag?: string | undefined
}

/** What a message needs to be taken, which only its decoded form shows. */
export interface DeliveryNote {
  readonly tag: string
  readonly exchange: string
  readonly routingKey: string
}

/** The lists of Celery: what is taken from them, acknowledged and given back. */
export class CeleryQueues {
  private readonly redis: Redis

  constructor(private readonly connections: CeleryConnections) {
    this.redis = connections.broker
  }

  /**
   * Takes at most `most` messages of the tasks `names`, the smallest priority first, in the order of the lists. `look` is
   * how many messages of each list are looked at: those of other tasks are passed over and stay.
   */
  async claim(
    queues: readonly string[],
    names: readonly string[],
    most: number,
    look: number,
  ): Promise<readonly RawMessage[]> {
    const lists = this.listsOf(queues)
    const keys = [...this.noteKeys, ...lists.map(({ list }) => this.connections.key(list))]
    const taken = (await this.redis.eval(
      claimMessages,
      keys.length,
      ...keys,
      most,
      look,
      look * bytesOfMessage,
      ...names,
    )) as (string | number)[]
    return readMessages(taken, 3, lists)
  }

  /**
   * Reads the messages that are served next, at most `most` of each list; they stay. Of those of others, whose names do not
   * begin with `prefix`, only the names are read.
   */
  async peek(
    queues: readonly string[],
    most: number,
    prefix: string,
  ): Promise<{ readonly messages: readonly RawMessage[]; readonly others: readonly string[] }> {
    const lists = this.listsOf(queues)
    const keys = lists.map(({ list }) => this.connections.key(list))
    const [found, others] = (await this.redis.eval(peekMessages, keys.length, ...keys, most, peekedBytes, prefix)) as [
      (string | number)[],
      string[],
    ]
    return { messages: readMessages(found, 2, lists), others }
  }

  /** Takes a message that `peek` has read; without a note it is gone for good. False if another consumer has it. */
  async take({ raw, list }: RawMessage, note?: DeliveryNote): Promise<boolean> {
    const keys = [...this.noteKeys, this.connections.key(list)]
    const { tag = '', exchange = '', routingKey = '' } = note ?? {}
    return (await this.redis.eval(takeMessage, keys.length, ...keys, raw, tag, exchange, routingKey)) === 1
  }

  async acknowledge(tags: readonly string[]): Promise<void> {
    if (tags.length > 0) await this.redis.eval(acknowledgeMessages, 3, ...this.noteKeys, ...tags)
  }

  /** Keeps messages from being taken for lost. Returns the tags that another consumer has given back. */
  async keep(tags: readonly string[]): Promise<readonly string[]> {
    if (tags.length === 0) return []
    return (await this.redis.eval(keepMessages, 3, ...this.noteKeys, ...tags)) as string[]
  }

  /** Gives messages back, to be served next. */
  async giveBack(tags: readonly string[]): Promise<void> {
    if (tags.length > 0) await this.runGiveBack(0, tags)
  }

  /** Gives back what a gateway took and has not kept for `seconds`: it has died. Returns how many there were. */
  giveBackLost(seconds: number): Promise<number> {
    return this.runGiveBack(seconds, [])
  }

  /** Messages that Celery workers took more than `seconds` ago and have not acknowledged, at most a thousand. */
  async listHeld(seconds: number): Promise<readonly (RawMessage & { readonly tag: string })[]> {
    const found = (await this.redis.eval(listHeldMessages, 3, ...this.noteKeys, seconds, 1_000)) as string[]
    return Array.from({ length: found.length / 3 }, (_, index) => {
      const [tag = '', raw = '', queue = ''] = found.slice(3 * index)
      return { tag, raw, queue, list: queue }
    })
  }

  /** Messages of each queue, all priorities together. */
  async lengths(queues: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const pipeline = this.redis.pipeline()
    const lists = this.listsOf(queues)
    for (const { list } of lists) pipeline.llen(this.connections.key(list))
    const lengths = new Map(queues.map((queue) => [queue, 0]))
    for (const [index, [error, length]] of ((await pipeline.exec()) ?? []).entries()) {
      if (error) throw error
      const queue = lists[index]?.queue ?? ''
      lengths.set(queue, (lengths.get(queue) ?? 0) + Number(length))
    }
    return lengths
  }

  /** The lists of queues, in the order in which they are served. */
  listsOf(queues: readonly string[]): readonly QueueList[] {
    return prioritySteps.flatMap((step) => queues.map((queue) => ({ queue, list: listOf(queue, step) })))
  }

  private async runGiveBack(seconds: number, tags: readonly string[]): Promise<number> {
    const { noteKeys, connections } = this
    const count = await this.redis.eval(
      giveBackMessages,
      3,
      ...noteKeys,
      connections.key(''),
      prioritySeparator,
      seconds,
      ...tags,
    )
    return Number(count)
  }

  private get noteKeys(): readonly [string, string, string] {
    const { connections } = this
    return [connections.key('unacked'), connections.key('unacked_index'), connections.key('memoryguard.unacked')]
  }
}

/** Messages, each of which stands there as the number of its list, its text and, if it was taken, its tag. */
const readMessages = (
  found: readonly (string | number)[],
  width: 2 | 3,
  lists: readonly QueueList[],
): readonly RawMessage[] => {
  const messages: RawMessage[] = []
  for (let index = 0; index < found.length; index += width) {
    const list = lists[Number(found[index]) - 1]
    const tag = width === 3 ? String(found[index + 2]) : undefined
    if (list) messages.push({ raw: String(found[index + 1]), ...list, tag })
  }
  return messages
}
