import { finishedChannel, NotificationListener, TaskRepository } from '#libs/database'
import { CONFIG, LOGGER, PeriodicLoop, type Config, type Logger } from '#libs/platform'
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'
import { isTerminal } from './contracts/task-states.js'

/** How often to poll the waiting tasks, in milliseconds, because a notification may be lost with its connection. */
const pollIntervalMs = 1_000

/** A wait for the end of one task. */
export class ExpectedEnd {
  private hasEnded = false
  private onEnd: () => void = () => undefined

  constructor(readonly forget: () => void) {}

  /** Called when the task has finished. */
  readonly notify = (): void => {
    this.hasEnded = true
    this.onEnd()
  }

  /** As `FinishedTasks.wait`, without reading the database. */
  within(seconds: number, signal?: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', end)
        resolve(this.hasEnded)
      }
      const timer = setTimeout(end, seconds * 1000)
      this.onEnd = end
      if (this.hasEnded || signal?.aborted) end()
      else signal?.addEventListener('abort', end)
    })
  }
}

/** Waits for tasks to finish, by the database's notifications on one connection for the whole process. */
@Injectable()
export class FinishedTasks implements OnApplicationShutdown {
  private readonly waiting = new Map<string, Set<() => void>>()
  private readonly listener: NotificationListener
  private readonly loop: PeriodicLoop
  private readonly subscribers = new Set<(ids: readonly string[]) => void>()
  private starting: Promise<void> | undefined

  constructor(
    private readonly tasks: TaskRepository,
    @Inject(CONFIG) config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    const notifyAll = (payload: string) => {
      const ids = payload.split(',')
      ids.forEach((id) => this.notify(id))
      for (const subscriber of this.subscribers) subscriber(ids)
    }
    this.listener = new NotificationListener(config, { [finishedChannel]: notifyAll }, log)
    this.loop = new PeriodicLoop({ name: 'waits', intervalMs: pollIntervalMs, run: () => this.poll() }, log)
    this.loop.start()
  }

  /** Begins to listen, once however often it is called. Without it, ends are seen within a second. */
  start(): Promise<void> {
    this.starting ??= this.listener.start()
    return this.starting
  }

  /** Calls `subscriber` with the ids of all tasks that finish from now on. Returns a function that ends that. */
  subscribe(subscriber: (ids: readonly string[]) => void): () => void {
    this.subscribers.add(subscriber)
    return () => this.subscribers.delete(subscriber)
  }

  /** As of `NotificationListener`: since when no end can have been missed. */
  get listeningSince(): number | undefined {
    return this.listener.listeningSince
  }

  /** Resolves when all notifications that the database has sent so far have been handled. */
  catchUp(): Promise<void> {
    return this.listener.catchUp()
  }

  /**
   * Resolves with true when the task has finished, or with false after `seconds` or when `signal` is aborted. At the end
   * of the process every wait ends with true, so read the state afterwards.
   */
  async wait(taskId: string, seconds: number, signal?: AbortSignal): Promise<boolean> {
    const expected = this.expect(taskId)
    try {
      const task = await this.tasks.find(taskId)
      return !task || isTerminal(task.state) || (await expected.within(seconds, signal))
    } finally {
      expected.forget()
    }
  }

  /** Begins to wait before a task can have finished, so that no notification is missed. */
  expect(taskId: string): ExpectedEnd {
    const waiters = this.waiting.get(taskId) ?? new Set()
    this.waiting.set(taskId, waiters)
    const expected = new ExpectedEnd(() => {
      waiters.delete(expected.notify)
      if (waiters.size === 0) this.waiting.delete(taskId)
    })
    waiters.add(expected.notify)
    return expected
  }

  /** Ends every wait now, so that callers get a response before the process exits. */
  releaseAll(): void {
    for (const id of this.waiting.keys()) this.notify(id)
  }

  async onApplicationShutdown(): Promise<void> {
    await this.loop.stop()
    await this.listener.stop()
  }

  private notify(taskId: string): void {
    this.waiting.get(taskId)?.forEach((resolve) => resolve())
  }

  private async poll(): Promise<void> {
    if (this.waiting.size === 0) return
    try {
      for (const id of await this.tasks.listFinished([...this.waiting.keys()])) this.notify(id)
    } catch (error) {
      this.log.debug({ err: error }, 'finished tasks not read')
    }
  }
}
