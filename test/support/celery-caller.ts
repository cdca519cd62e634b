import { randomUUID } from 'node:crypto'
import { encodeMessage, type NewMessage } from '#libs/celery'
import { Redis } from 'ioredis'
import { listRedis } from './broker-contents.js'
import { startRedis, type RedisServer } from './redis-server.js'
import { waitFor } from './wait-for.js'

/** What Celery stores of a task: its meta. */
export interface CeleryResult {
  readonly status: string
  readonly result: Record<string, unknown>
  readonly traceback: string | null
}

/** A caller that speaks as Celery's client does, with a Redis of its own: database 1 for calls, 2 for results. */
export class CeleryCaller {
  private constructor(
    readonly redis: RedisServer,
    readonly broker: Redis,
    readonly backend: Redis,
  ) {}

  static async start(more: readonly string[] = []): Promise<CeleryCaller> {
    const redis = await startRedis(more)
    const connect = (database: number) => {
      const client = new Redis(`${redis.url}/${database}`)
      // Tests restart the server.
      client.on('error', () => undefined)
      return client
    }
    return new CeleryCaller(redis, connect(1), connect(2))
  }

  /** With these, a worker serves this caller. */
  get env(): Readonly<Record<string, string>> {
    return { CELERY_BROKER_URL: `${this.redis.url}/1`, CELERY_RESULT_BACKEND: `${this.redis.url}/2` }
  }

  /** Sends a call; returns its id. */
  async call(
    task: string,
    args: readonly unknown[] = [],
    { kwargs = {}, ...options }: Partial<NewMessage> = {},
  ): Promise<string> {
    const id = options.id ?? randomUUID()
    const message = { origin: 'gen1@test', queue: 'celery', priority: 0, ...options, id, task, args, kwargs }
    await this.send(encodeMessage(message), message.queue)
    return id
  }

  /** Puts a text into a list of calls as it is. */
  async send(raw: string, list = 'celery'): Promise<void> {
    await this.broker.lpush(list, raw)
  }

  /** Broadcasts a command to workers, as `celery control` does. */
  async broadcast(body: object): Promise<void> {
    const message = {
      body: Buffer.from(JSON.stringify(body)).toString('base64'),
      'content-encoding': 'utf-8',
      'content-type': 'application/json',
      headers: { clock: 1 },
      properties: { body_encoding: 'base64', delivery_info: { exchange: 'celery.pidbox', routing_key: '' } },
    }
    await this.broker.publish('/1.celery.pidbox', JSON.stringify(message))
  }

  /** What is stored of a task now; null if nothing is. */
  async read(id: string): Promise<CeleryResult | null> {
    const text = await this.backend.get(`celery-task-meta-${id}`)
    return text === null ? null : (JSON.parse(text) as CeleryResult)
  }

  /** Waits until a task has ended. */
  result(id: string, timeoutMs = 20_000): Promise<CeleryResult> {
    const read = async () => {
      const result = await this.read(id)
      return result && ['SUCCESS', 'FAILURE', 'REVOKED'].includes(result.status) ? result : undefined
    }
    return waitFor(read, { what: `the result of call ${id}`, timeoutMs })
  }

  /** Everything that stands in both databases, as text. */
  async readAll(): Promise<string> {
    const texts = await Promise.all([1, 2].map((database) => listRedis(`${this.redis.url}/${database}`)))
    return texts.flat().join('\n')
  }

  async stop(): Promise<void> {
    this.broker.disconnect()
    this.backend.disconnect()
    await this.redis.stop()
  }
}
