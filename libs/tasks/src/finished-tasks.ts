import { finishedChannel, NotificationListener, TaskRepository } from '#libs/database'
import { CONFIG, LOGGER, PeriodicLoop, type Config, type Logger } from '#libs/platform'
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'
import { isTerminal } from './contracts/task-states.js'

/** A notification may be lost with its connection: waiting tasks are looked at this often all the same. */
const lookIntervalMs = 1_000

/** Waits for tasks to finish: told by the database, on one connection for the whole process. */
@Injectable()
export class FinishedTasks implements OnApplicationShutdown {
  private readonly waiting = new Map<string, Set<() => void>>()
  private readonly listener: NotificationListener
  private readonly loop: PeriodicLoop
  private readonly subscribers = new Set<(ids: readonly string[]) => void>()

  constructor(
    private readonly tasks: TaskRepository,
    @Inject(CONFIG) config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    const tellAll = (payload: string) => {
      const ids = payload.split(',')
      ids.forEach((id) => this.tell(id))
      for (const hear of this.subscribers) hear(ids)
    }
    this.listener = new NotificationListener(config, { [finishedChannel]: tellAll }, log)
    this.loop = new PeriodicLoop({ name: 'waits', intervalMs: lookIntervalMs, run: () => this.look() }, log)
    this.loop.start()
  }

  /** Begins to listen. Without it, ends are seen within a second. */
  start(): Promise<void> {
    return this.listener.start()
  }

  /** Is told the ids of all tasks that finish from now on; answers how to end that. */
  subscribe(hear: (ids: readonly string[]) => void): () => void {
    this.subscribers.add(hear)
    return () => this.subscribers.delete(hear)
  }

  /** As of `NotificationListener`: since when no end can have been missed. */
  get listeningSince(): number | undefined {
    return this.listener.listeningSince
  }

  /** Resolves when every end that the database had told of by now has been heard. */
  catchUp(): Promise<void> {
    return this.listener.catchUp()
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

  /** Ends every wait now, finished or not, so that callers are answered before the process ends. */
  releaseAll(): void {
    for (const id of this.waiting.keys()) this.tell(id)
  }

  async onApplicationShutdown(): Promise<void> {
    await this.loop.stop()
    await this.listener.stop()
  }

  private tell(taskId: string): void {
    this.waiting.get(taskId)?.forEach((resolve) => resolve())
  }

  private async look(): Promise<void> {
    if (this.waiting.size === 0) return
    try {
      for (const id of await this.tasks.listFinished([...this.waiting.keys()])) this.tell(id)
    } catch (error) {
      this.log.debug({ err: error }, 'finished tasks not read')
    }
  }
}
