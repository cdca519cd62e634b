import { MemoryGuardError, type Logger } from '#libs/platform'
import { ChildProcessHandle } from './child-process-handle.js'
import {
  loadTimeoutMs,
  noneReplaced,
  type ComputeChild,
  type ComputePool,
  type ExplainedRows,
  type ExplainRequest,
  type GraphSpec,
  type OnComputed,
  type OutputTensors,
  type ReplacementReason,
  type RunRequest,
} from './compute-pool.js'
import { modelFailure } from './model-failure.js'
import { TrialChild } from './trial-child.js'
import { WorkQueue, type QueuedWork } from './work-queue.js'

export interface PreforkOptions {
  /** Number of children. */
  readonly size: number
  /** A child is replaced after this many rows; 0: never. */
  readonly maxTasksPerChild: number
  /** A child is replaced when its resident memory has passed this many KiB; 0: never. */
  readonly maxMemoryPerChildKb: number
  /** The child's program; default: the compiled one beside this file. */
  readonly entry?: URL
  /** Bulk work that has waited this long goes next, however much else there is. Default: 200. */
  readonly bulkPatienceMs?: number
}

const defaultBulkPatienceMs = 200
/** A pool without work for this long is taken for idle: a due child is replaced then. */
const quietMs = 1_000
/** Longest time that a due replacement waits for such a moment. */
const recyclePatienceMs = 10_000
/** Wait before the next try when a child cannot start. */
const respawnDelayMs = 1_000

/**
 * Computes in child processes, one run at a time in each. A child that passes the hard limit is killed by SIGKILL and
 * replaced; one that dies takes only its own run with it. A child that is due for replacement goes when the
 * pool has been idle for a second, at the latest ten seconds later, and its successor is ready before it leaves:
 * starting a process costs as much as computing ten thousand rows, so recycling must not happen under every burst.
 */
export class PreforkPool implements ComputePool {
  onComputed: OnComputed | undefined
  readonly replaced = noneReplaced()
  private readonly graphs = new Map<string, GraphSpec>()
  private readonly members = new Set<ChildProcessHandle>()
  private readonly queue: WorkQueue
  private readonly trials: TrialChild
  /** Explanations under way. */
  private explaining = 0
  private size: number
  private isStopped = false
  /** Milliseconds since the epoch. */
  private lastRunAt = 0
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly options: PreforkOptions,
    private readonly log: Logger,
  ) {
    this.size = options.size
    this.queue = new WorkQueue(options.bulkPatienceMs ?? defaultBulkPatienceMs)
    this.trials = new TrialChild((onExit) => {
      if (this.isStopped) throw stoppedError()
      return this.start(onExit)
    })
    void this.balance()
  }

  get children(): readonly ComputeChild[] {
    return [...this.members]
  }

  countWaiting(longerThanMs: number): number {
    return this.queue.countWaiting(longerThanMs)
  }

  trial(graph: GraphSpec): Promise<OutputTensors> {
    return this.trials.run(graph)
  }

  async load(graph: GraphSpec): Promise<void> {
    const members = [...this.members]
    await Promise.all(members.map((child) => child.send({ kind: 'load', graph }, loadTimeoutMs)))
    this.graphs.set(graph.key, graph)
    // A child that was born meanwhile did not know of the graph.
    const late = [...this.members].filter((child) => !members.includes(child))
    await Promise.all(late.map((child) => child.send({ kind: 'load', graph }, loadTimeoutMs)))
  }

  run({ key, rows, count, ...limits }: RunRequest): Promise<OutputTensors> {
    return this.enqueue<OutputTensors>({ kind: 'run', key, rows, count }, limits)
  }

  explain({ key, output, rows, count, ...limits }: ExplainRequest): Promise<ExplainedRows> {
    return this.enqueue<ExplainedRows>({ kind: 'explain', key, output, rows, count }, limits)
  }

  async resize(size: number): Promise<void> {
    this.size = size
    await this.balance()
  }

  async restart(): Promise<void> {
    for (const child of this.staying) await this.replace(child, 'operator')
  }

  async stop(): Promise<void> {
    this.isStopped = true
    clearTimeout(this.timer)
    this.queue.rejectAll(stoppedError())
    await Promise.all([...this.members].map((child) => child.kill()))
    await this.trials.end()
  }

  private enqueue<Result>(work: QueuedWork['work'], limits: QueuedWork['limits']): Promise<Result> {
    if (this.isStopped) return Promise.reject(stoppedError())
    const result = this.queue.add<Result>(work, limits)
    this.pump()
    return result
  }

  private start(onExit: (reason: string) => void): ChildProcessHandle {
    const entry = this.options.entry ?? new URL('./compute-child.js', import.meta.url)
    return new ChildProcessHandle(entry, onExit, (output) => this.log.warn({ output }, 'compute child printed'))
  }

  /** Starts one child; it takes work once every graph is loaded into it. */
  private async add(): Promise<ChildProcessHandle | undefined> {
    const child = this.start((reason) => this.onExit(child, reason))
    this.members.add(child)
    try {
      for (const graph of this.graphs.values()) await child.send({ kind: 'load', graph }, loadTimeoutMs)
      child.isReady = true
      if (child.isRetiring) {
        // The pool has shrunk while it started.
        await child.kill()
        return undefined
      }
      this.pump()
      return child
    } catch (error) {
      if (!this.isStopped) this.log.error({ child: child.pid, err: error }, 'compute child could not load its models')
      await child.kill()
      return undefined
    }
  }

  private onExit(child: ChildProcessHandle, reason: string): void {
    this.members.delete(child)
    if (this.isStopped || child.isRetiring) return
    this.countReplaced(child.hasTimedOut ? 'hard_limit' : 'crashed')
    this.log.warn({ child: child.pid, reason }, 'compute child ended; replaced')
    if (child.isReady) void this.balance()
    else this.wakeIn(respawnDelayMs)
  }

  /** Gives waiting work to free children and lets due children go. */
  private pump(): void {
    for (const child of this.members) {
      if (!child.isFree) continue
      // An explanation may take a second, so of several children one stays for runs.
      const next = this.queue.takeNext(this.explaining < Math.max(1, this.size - 1))
      if (!next) break
      void this.execute(child, next)
    }
    this.recycleDue()
  }

  private async execute(child: ChildProcessHandle, queued: QueuedWork): Promise<void> {
    const { work, resolve, reject } = queued
    const { timeoutMs, killSignal, onProgress } = queued.limits
    const kill = () => void child.kill()
    killSignal?.addEventListener('abort', kill)
    const isExplaining = work.kind === 'explain'
    if (isExplaining) this.explaining += 1
    const start = performance.now()
    try {
      killSignal?.throwIfAborted()
      const result = await child.send(work, timeoutMs, onProgress)
      this.onComputed?.(work.kind, work.key, work.count, (performance.now() - start) / 1000)
      resolve(result)
    } catch (cause) {
      reject(
        killSignal?.aborted || cause instanceof MemoryGuardError
          ? (killSignal?.reason ?? cause)
          : modelFailure(work.key, cause),
      )
    }
    killSignal?.removeEventListener('abort', kill)
    if (isExplaining) this.explaining -= 1
    child.tasks += work.count
    this.lastRunAt = Date.now()
    if (this.isDue(child)) child.recycleDueAt ??= Date.now()
    if (child.isRetiring && !child.busy) await child.kill()
    this.pump()
  }

  private isDue(child: ChildProcessHandle): boolean {
    const { maxTasksPerChild } = this.options
    return (maxTasksPerChild > 0 && child.tasks >= maxTasksPerChild) || this.isOverMemory(child)
  }

  private isOverMemory({ rssBytes }: ChildProcessHandle): boolean {
    const { maxMemoryPerChildKb } = this.options
    return maxMemoryPerChildKb > 0 && rssBytes > maxMemoryPerChildKb * 1024
  }

  /** Replaces one due child at a time. */
  private recycleDue(): void {
    if (this.isStopped || [...this.members].some(({ isReady, isLeaving }) => !isReady || isLeaving)) return
    const due = [...this.members].find(({ recycleDueAt }) => recycleDueAt !== undefined)
    if (due?.recycleDueAt === undefined) return
    const now = Date.now()
    const isIdle = this.queue.isEmpty && !due.busy && now - this.lastRunAt >= quietMs
    if (isIdle || now - due.recycleDueAt >= recyclePatienceMs)
      void this.replace(due, this.isOverMemory(due) ? 'max_memory' : 'max_tasks')
    else this.wakeIn(quietMs)
  }

  /** Children that are to be there when every replacement under way is done. */
  private get staying(): ChildProcessHandle[] {
    return [...this.members].filter(({ isLeaving }) => !isLeaving)
  }

  /** Starts the children that are missing, and lets those go that are too many. */
  private async balance(): Promise<void> {
    const { staying } = this
    for (const child of staying.slice(this.size)) this.retire(child)
    await Promise.all(Array.from({ length: Math.max(0, this.size - staying.length) }, () => this.add()))
  }

  /** The child works until its successor is ready. */
  private async replace(due: ChildProcessHandle, reason: ReplacementReason): Promise<void> {
    if (due.isLeaving) return
    due.recycleDueAt = undefined
    due.isLeaving = true
    if (await this.add()) {
      this.countReplaced(reason)
      this.retire(due)
    } else if (!this.isStopped) {
      due.isLeaving = false
      await this.balance()
    }
  }

  private countReplaced(reason: ReplacementReason): void {
    this.replaced[reason]++
  }

  private retire(child: ChildProcessHandle): void {
    child.isLeaving = true
    child.isRetiring = true
    if (!child.busy) void child.kill()
  }

  private wakeIn(delayMs: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      if (this.isStopped) return
      void this.balance()
      this.pump()
    }, delayMs)
  }
}

const stoppedError = (): MemoryGuardError =>
  new MemoryGuardError('TASK_CHILD_LOST', 'The compute pool has been stopped.', { retryable: true })
