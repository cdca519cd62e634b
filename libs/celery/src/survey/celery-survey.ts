import type { Redis } from 'ioredis'
import { CeleryQueues, queueOf, type RawMessage } from '../claim/celery-queues.js'
import type { CeleryConnections } from '../connection.js'
import { bindingSeparator } from '../control/pidbox.js'
import { readEnvelope, UnreadableMessage } from '../wire/envelope.js'
import { parsePythonJson, stringifyPythonJson } from '../wire/python-json.js'
import { describeMessage, type DescribedMessage } from './described-message.js'

/** Longest time that the names of keys are searched, in milliseconds. */
const scanMs = 5_000
/** Messages that are read of each end of a list, in groups of so many, until they have so many characters. */
const sampleSize = 100
const groupSize = 10
const mostCharacters = 8_000_000
/** Exchanges and queues of commands and events, which carry no calls. */
const noCalls = /^celeryev(\.|$)|\.pidbox$/

/** A queue with messages in it. */
export interface SurveyedQueue {
  readonly name: string
  readonly length: number
  /** Some of its messages: those that are served next, and the newest. */
  readonly sample: readonly DescribedMessage[]
}

/** What consumers have taken and not acknowledged. */
export interface SurveyedUnacked {
  readonly count: number
  /** Those that our workers have taken. */
  readonly ours: number
  /** How long ago the oldest one was taken, in seconds. */
  readonly oldestSeconds: number | undefined
  /** Some of those that others have taken. */
  readonly sample: readonly DescribedMessage[]
}

/** Reads what stands in the broker of Celery, and changes nothing. */
export class CelerySurvey {
  private readonly redis: Redis
  private readonly queues: CeleryQueues

  constructor(private readonly connections: CeleryConnections) {
    this.redis = connections.broker
    this.queues = new CeleryQueues(connections)
  }

  /** The given queues, those that clients have bound, and every other list that has messages of kombu's. */
  async readQueues(known: readonly string[]): Promise<readonly SurveyedQueue[]> {
    const names = new Set([...known, ...(await this.listBound())])
    for (const list of await this.scan('*', 'list')) {
      const queue = queueOf(list)
      if (!names.has(queue) && !noCalls.test(queue) && (await this.holdsMessages(list))) names.add(queue)
    }
    const lengths = await this.queues.lengths([...names])
    const surveyed: SurveyedQueue[] = []
    for (const [name, length] of lengths) {
      surveyed.push({ name, length, sample: length === 0 ? [] : await this.sampleQueue(name) })
    }
    return surveyed.toSorted((one, other) => (one.name < other.name ? -1 : 1))
  }

  async readUnacked(): Promise<SurveyedUnacked> {
    const { connections, redis } = this
    const [count, tags, oldest, [, members]] = await Promise.all([
      redis.hlen(connections.key('unacked')),
      redis.zrange(connections.key('memoryguard.unacked'), 0, -1),
      redis.zrange(connections.key('unacked_index'), 0, 0, 'WITHSCORES'),
      redis.hscan(connections.key('unacked'), 0, 'COUNT', 2 * sampleSize),
    ])
    const ours = new Set(tags)
    const sample: DescribedMessage[] = []
    for (let index = 0; index + 1 < members.length && sample.length < 2 * sampleSize; index += 2) {
      const noted = ours.has(members[index] ?? '') ? undefined : readNote(members[index + 1] ?? '')
      if (noted) sample.push(describeMessage(noted.raw, noted.queue))
    }
    const takenAt = oldest[1] === undefined ? undefined : Number(oldest[1])
    const [seconds] = await redis.time()
    return {
      count,
      ours: ours.size,
      oldestSeconds: takenAt === undefined ? undefined : Math.max(0, Math.round(Number(seconds) - takenAt)),
      sample,
    }
  }

  private async listBound(): Promise<readonly string[]> {
    const bound: string[] = []
    for (const key of await this.scan('_kombu.binding.*', 'set')) {
      for (const member of await this.redis.smembers(this.connections.key(key))) {
        const queue = member.split(bindingSeparator)[2]
        if (queue && !noCalls.test(key) && !noCalls.test(queue)) bound.push(queue)
      }
    }
    return bound
  }

  /** Names of keys, without their prefix. */
  private async scan(pattern: string, type: 'list' | 'set'): Promise<readonly string[]> {
    const prefix = this.connections.key('')
    const match = prefix.replaceAll(/[\\*?[\]]/g, String.raw`\$&`) + pattern
    const end = performance.now() + scanMs
    const found = new Set<string>()
    let cursor = '0'
    do {
      const [next, keys] = (await this.redis.call('SCAN', cursor, 'MATCH', match, 'COUNT', 1_000, 'TYPE', type)) as [
        string,
        string[],
      ]
      for (const key of keys) found.add(key.slice(prefix.length))
      cursor = next
    } while (cursor !== '0' && performance.now() < end)
    return [...found]
  }

  private async holdsMessages(list: string): Promise<boolean> {
    const [raw] = await this.redis.lrange(this.connections.key(list), -1, -1)
    try {
      return raw !== undefined && Object.keys(readEnvelope(raw).properties).length > 0
    } catch (error) {
      if (error instanceof UnreadableMessage) return false
      throw error
    }
  }

  private async sampleQueue(name: string): Promise<readonly DescribedMessage[]> {
    const found: RawMessage[] = []
    for (const list of this.queues.listsOf([name])) {
      const key = this.connections.key(list.list)
      const length = await this.redis.llen(key)
      for (const [from, to] of rangesOf(length)) {
        if (found.reduce((sum, { raw }) => sum + raw.length, 0) > mostCharacters) break
        for (const raw of await this.redis.lrange(key, from, to)) found.push({ raw, ...list })
      }
    }
    return found.map(({ raw, queue }) => describeMessage(raw, queue))
  }
}

/** The groups of a list that are read: first those that are served next, then the newest. */
const rangesOf = (length: number): readonly (readonly [from: number, to: number])[] => {
  const groups = (from: number, to: number) =>
    Array.from({ length: Math.ceil(Math.max(0, to - from) / groupSize) }, (_, index) => {
      const start = from + index * groupSize
      return [start, Math.min(to, start + groupSize) - 1] as const
    })
  const next = Math.max(0, length - sampleSize)
  return [...groups(next, length).toReversed(), ...groups(0, Math.min(next, sampleSize))]
}

/** A note of `unacked`: the message, its exchange, its routing key. */
const readNote = (text: string): { readonly raw: string; readonly queue: string } | undefined => {
  try {
    const note = parsePythonJson(text)
    return Array.isArray(note) ? { raw: stringifyPythonJson(note[0]), queue: String(note[2]) } : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
