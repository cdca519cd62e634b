import { finishedChannel, TaskRepository } from '#libs/database'
import { CONFIG, LOGGER, type Config, type Logger } from '#libs/platform'
import { isTerminal } from '#libs/tasks/contracts'
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'
import pg from 'pg'

/** A notification may be lost with its connection: waiting tasks are looked at this often all the same. */
const lookIntervalMs = 1_000
const reconnectMs = 1_000

/** Waits for tasks to finish: told by the database, on one connection for the whole process. */
@Injectable()
export class FinishedTasks implements OnApplicationShutdown {
  private readonly waiting = new Map<string, Set<() => void>>()
  private client: pg.Client | undefined
  private isStopped = false
  private readonly timer: NodeJS.Timeout

  constructor(
    private readonly tasks: TaskRepository,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.timer = setInterval(() => void this.look(), lookIntervalMs)
  }

  /** Begins to listen; a lost connection is made again. */
  async start(): Promise<void> {
    const client = new pg.Client({ connectionString: this.config.database.url, keepAlive: true })
    client.on('notification', ({ payload }) => payload?.split(',').forEach((id) => this.tell(id)))
    client.on('error', (error) => this.onLost(client, error))
    client.on('end', () => this.onLost(client, new Error('the connection ended')))
    this.client = client
    try {
      await client.connect()
      await client.query(`LISTEN ${finishedChannel}`)
    } catch (error) {
      this.onLost(client, error)
    }
  }

  /** Resolves when the task has finished, or after `seconds`. Ask for the state afterwards. */
  async wait(taskId: string, seconds: number, signal?: AbortSignal): Promise<void> {
    const told = this.expect(taskId)
    let timer: NodeJS.Timeout | undefined
    try {
      const task = await this.tasks.find(taskId)
      if (!task || isTerminal(task.state)) return
      const limit = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, seconds * 1000)
        signal?.addEventListener('abort', () => resolve(), { once: true })
      })
      await Promise.race([told.promise, limit])
    } finally {
      clearTimeout(timer)
      told.forget()
    }
  }

  /** Begins to wait before a task can have finished, so that no notification is missed. */
  expect(taskId: string): { readonly promise: Promise<void>; readonly forget: () => void } {
    let tell: () => void = () => undefined
    const promise = new Promise<void>((resolve) => {
      tell = resolve
    })
    const waiters = this.waiting.get(taskId) ?? new Set()
    waiters.add(tell)
    this.waiting.set(taskId, waiters)
    return {
      promise,
      forget: () => {
        waiters.delete(tell)
        if (waiters.size === 0) this.waiting.delete(taskId)
      },
    }
  }

  async onApplicationShutdown(): Promise<void> {
    this.isStopped = true
    clearInterval(this.timer)
    await this.client?.end()
  }

  private tell(taskId: string): void {
    this.waiting.get(taskId)?.forEach((resolve) => resolve())
  }

  private onLost(client: pg.Client, error: unknown): void {
    if (this.isStopped || this.client !== client) return
    this.client = undefined
    this.log.warn({ err: error }, 'not told of finished tasks; connecting again')
    client.removeAllListeners()
    // The connection is gone; ending what is left of it must not raise again.
    client.on('error', () => undefined)
    client.end().catch(() => undefined)
    setTimeout(() => void (this.isStopped || this.start()), reconnectMs)
  }

  private async look(): Promise<void> {
    if (this.waiting.size === 0) return
    try {
      for (const id of await this.tasks.listFinished([...this.waiting.keys()])) this.tell(id)
    } catch (error) {
      this.log.debug({ err: error }, 'could not look for finished tasks')
    }
  }
}
