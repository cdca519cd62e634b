import { readFileSync } from 'node:fs'
import {
  bareRequest,
  builtinError,
  CeleryConnections,
  CeleryResults,
  decodeMessage,
  type CallRequest,
  type CeleryMessage,
  type EndedCall,
} from '#libs/celery'
import { Redis } from 'ioredis'
import type { RedisServer } from './redis-server.js'

/** What a client of Celery wrote into Redis for one canvas, recorded: the messages in their order, and the other keys. */
export interface RecordedCanvas {
  readonly messages: readonly string[]
  readonly keys: Readonly<Record<string, string>>
}

type CanvasName = 'chord' | 'generatorChord' | 'chain' | 'chordInChain' | 'links' | 'nested'

/** Releases of Celery between which the keys of chords and the headers of messages differ. */
export const celeryReleases = ['5.2.7', '5.7.0'] as const
export type CeleryRelease = (typeof celeryReleases)[number]

export const recordedCanvas = (release: CeleryRelease, name: CanvasName): RecordedCanvas => {
  const file = new URL(`../fixtures/celery/${release}.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as Record<CanvasName, RecordedCanvas>)[name]
}

/** The calls of a recorded canvas, decoded. */
export const callsOf = ({ messages }: RecordedCanvas): readonly CallRequest[] =>
  messages.map((raw) => decode(raw, 'celery').request)

const decode = (raw: string, queue: string): CeleryMessage => {
  const decoded = decodeMessage(raw, queue)
  if ('reason' in decoded) throw new Error(decoded.reason)
  return decoded.message
}

/** The ids of chords whose number of parts a client has written. */
export const chordIdsOf = ({ keys }: RecordedCanvas): readonly string[] =>
  Object.keys(keys).flatMap((key) => /^celery-taskset-meta-(.*)\.s$/.exec(key)?.[1] ?? [])

export const succeeded = (request: CallRequest, result: unknown): EndedCall => ({
  request,
  outcome: { state: 'SUCCESS', result },
})

export const failed = (request: CallRequest): EndedCall => ({
  request,
  outcome: { state: 'FAILURE', exception: builtinError('ValueError', 'boom'), traceback: 'ValueError: boom' },
})

/** A call that nothing follows. */
export const plainCall = (id: string, more: Partial<CallRequest> = {}): CallRequest => ({
  ...bareRequest(id, 'ml.health_check', 'celery'),
  rootId: id,
  correlationId: id,
  ...more,
})

/** The queue of `reports.send` is `reports`. */
export const queueOf = (task: string): string => task.split('.', 1)[0] ?? ''

/** A message that we have published. */
export interface PublishedCall extends CeleryMessage {
  readonly list: string
  readonly properties: Readonly<Record<string, unknown>>
}

/** Redis as Celery's broker (1) and result backend (2), with what it is to hold and what it holds. */
export class CeleryRedis {
  readonly connections: CeleryConnections
  readonly broker: Redis
  readonly backend: Redis

  constructor(
    readonly server: RedisServer,
    query = '',
  ) {
    const url = (database: number) => `redis://127.0.0.1:${server.port}/${database}`
    this.connections = new CeleryConnections({ brokerUrl: url(1) + query, resultBackend: url(2) + query })
    this.broker = new Redis(url(1))
    this.backend = new Redis(url(2))
  }

  results(expiresSeconds = 3600): CeleryResults {
    return new CeleryResults(this.connections, { expiresSeconds, queueOf })
  }

  /** Puts the keys of a recorded canvas there, as its client did. */
  async load({ keys }: RecordedCanvas): Promise<void> {
    for (const [key, value] of Object.entries(keys)) await this.backend.set(key, value)
  }

  /** Everything in the lists of the broker, the oldest first, by the names of the lists. */
  async published(): Promise<readonly PublishedCall[]> {
    const calls: PublishedCall[] = []
    for (const list of (await this.broker.keys('*')).sort()) {
      if ((await this.broker.type(list)) !== 'list') continue
      for (const raw of (await this.broker.lrange(list, 0, -1)).toReversed()) {
        const { properties } = JSON.parse(raw) as { properties: Record<string, unknown> }
        calls.push({ ...decode(raw, list), list, properties })
      }
    }
    return calls
  }

  async meta(id: string): Promise<Record<string, unknown> | undefined> {
    const text = await this.backend.get(`celery-task-meta-${id}`)
    return text === null ? undefined : (JSON.parse(text) as Record<string, unknown>)
  }

  async empty(): Promise<void> {
    await this.broker.flushall()
  }

  close(): void {
    this.connections.close()
    this.broker.disconnect()
    this.backend.disconnect()
  }
}
