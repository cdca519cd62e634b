import { loadavg, type as systemName } from 'node:os'
import { PeriodicLoop, productVersion, withinTime, type Logger } from '#libs/platform'
import type { CeleryConnections } from '../connection.js'
import type { LogicalClock } from '../logical-clock.js'
import { encodeTransientMessage } from '../wire/transient-message.js'
import { taskEventFields, type TaskEvent } from './task-event.js'

const heartbeatSeconds = 2
/** Events of tasks are sent together: so many at most, after so many milliseconds at the latest. */
const batchSize = 64
const batchMs = 20
/** Most events that wait while Redis cannot be reached; the oldest are dropped. */
const mostWaiting = 1_000
/** How long the last event of a worker may take, in milliseconds. */
const farewellMs = 1_000

const software = { sw_ident: 'memoryguard', sw_ver: productVersion, sw_sys: systemName() }

export interface EventsOptions {
  /** Name of this worker. */
  readonly name: string
  readonly clock: LogicalClock
  /** Whether events of tasks are sent before anybody asks for them. */
  readonly sendsTasks: boolean
  /** Tasks that run, and those that have been run since the start. */
  readonly read: () => { readonly active: number; readonly processed: number }
}

type Fields = Readonly<Record<string, unknown>>

/**
 * The events of a worker, for `celery events`, Flower and Celery's own workers: heartbeats, and what becomes of tasks once
 * somebody asks for it. Events are lost when Redis cannot be reached for long; nothing depends on them.
 */
export class CeleryEvents {
  private readonly heartbeats: PeriodicLoop
  private waiting: Fields[] = []
  private timer: NodeJS.Timeout | undefined
  private flushing: Promise<void> | undefined
  private areTasksSent: boolean

  constructor(
    private readonly connections: CeleryConnections,
    private readonly options: EventsOptions,
    private readonly log: Logger,
  ) {
    this.areTasksSent = options.sendsTasks
    const job = { name: 'celery heartbeat', intervalMs: heartbeatSeconds * 1000, run: () => this.heartbeat() }
    const failure = 'Celery heartbeat not sent'
    this.heartbeats = new PeriodicLoop({ ...job, failure, levelOf: () => 'debug' }, log)
  }

  /** Whether events of tasks are sent: there is no need to make any otherwise. */
  get sendsTasks(): boolean {
    return this.areTasksSent
  }

  /** Announces the worker, now or as soon as Redis can be reached. */
  start(): void {
    void this.announce('worker-online')
    this.heartbeats.start()
  }

  /** Sends what waits, and takes leave. */
  async stop(): Promise<void> {
    await this.heartbeats.stop()
    await withinTime(
      this.flush().then(() => this.announce('worker-offline')),
      farewellMs,
      undefined,
    )
  }

  /** Sends events of tasks from now on, or none. Returns whether that changed anything. */
  sendTasks(isOn: boolean): boolean {
    const isChange = this.areTasksSent !== isOn
    this.areTasksSent = isOn
    return isChange
  }

  /** Sends a heartbeat now. */
  beat(): Promise<void> {
    return this.announce('worker-heartbeat')
  }

  /** Sends what became of a call, by the caller's id of it, together with others; nothing while no one wants events. */
  task(id: string, event: TaskEvent): void {
    if (!this.areTasksSent) return
    if (this.waiting.length >= mostWaiting) this.waiting.shift()
    this.waiting.push(this.eventOf(event.type, { uuid: id, ...taskEventFields(event) }))
    if (this.waiting.length >= batchSize) void this.flush()
    else this.timer ??= setTimeout(() => void this.flush(), batchMs).unref()
  }

  private async heartbeat(): Promise<void> {
    // What could not be sent before.
    await this.flush()
    await this.publish('worker.heartbeat', this.workerEvent('worker-heartbeat'))
  }

  private async announce(type: string): Promise<void> {
    await this.publish(type.replace('-', '.'), this.workerEvent(type)).catch((error: unknown) => {
      this.log.debug({ err: error, type }, 'Celery event not sent')
    })
  }

  /** One at a time: what comes meanwhile waits. */
  private async flush(): Promise<void> {
    clearTimeout(this.timer)
    this.timer = undefined
    this.flushing ??= this.sendWaiting().finally(() => {
      this.flushing = undefined
    })
    await this.flushing
  }

  private async sendWaiting(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, batchSize)
      try {
        await this.publish('task.multi', batch)
      } catch (error) {
        this.log.debug({ err: error }, 'Celery events not sent')
        this.waiting = [...batch, ...this.waiting].slice(-mostWaiting)
        return
      }
    }
  }

  private workerEvent(type: string): Fields {
    const { active, processed } = this.options.read()
    const load = loadavg().map((value) => Math.round(value * 100) / 100)
    return this.eventOf(type, { freq: heartbeatSeconds, active, processed, loadavg: load, ...software })
  }

  private eventOf(type: string, fields: Fields): Fields {
    const { name, clock } = this.options
    return {
      hostname: name,
      // Hours west of UTC, as Python counts them.
      utcoffset: Math.floor(new Date().getTimezoneOffset() / 60),
      pid: process.pid,
      clock: clock.forward(),
      ...fields,
      timestamp: Date.now() / 1000,
      type,
    }
  }

  private async publish(routingKey: string, body: Fields | readonly Fields[]): Promise<void> {
    const { broker, database } = this.connections
    const headers = { hostname: this.options.name }
    const message = encodeTransientMessage({ body, headers, exchange: 'celeryev', routingKey })
    await broker.publish(this.connections.key(`/${database}.celeryev/${routingKey}`), message)
  }
}
