import { MemoryGuardError, type Logger } from '#libs/platform'
import type { OnProgress } from '../explain/explanation.js'
import { ChildProcessHandle, type ChildWork } from './child-process-handle.js'
import type {
  ComputeChild,
  ComputePool,
  ExplainedRows,
  ExplainRequest,
  GraphSpec,
  OutputTensors,
  RunRequest,
} from './compute-pool.js'
import { modelFailure } from './model-failure.js'

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

interface QueuedWork {
  readonly work: Exclude<ChildWork, { kind: 'load' }>
  readonly timeoutMs: number
  readonly isBulk: boolean
  /** Milliseconds of the process's clock. */
  readonly queuedAt: number
  readonly killSignal: AbortSignal | undefined
  readonly onProgress: OnProgress | undefined
  /** Given what the child answered to this kind of work. */
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
}

const defaultBulkPatienceMs = 200
/** A pool without work for this long is taken for idle: a due child is replaced then. */
const quietMs = 1_000
/** Longest time that a due replacement waits for such a moment. */
const recyclePatienceMs = 10_000
/** Longest time that a child may take to start and load a graph. */
const loadTimeoutMs = 60_000
/** Wait before the next try when a child cannot start. */
const respawnDelayMs = 1_000

/**
 * Computes in child processes, one run at a time in each. A child that passes the hard limit is killed by SIGKILL and
 * replaced; one that dies takes only its own run with it. A child that is due for replacement goes when the
 * pool has been idle for a second, at the latest ten seconds later, and its successor is ready before it leaves:
 * starting a process costs as much as computing ten thousand rows, so recycling must not happen under every burst.
 */
export class PreforkPool implements ComputePool {
  private readonly graphs = new Map<string, GraphSpec>()
  private readonly members = new Set<ChildProcessHandle>()
  private readonly queue: QueuedWork[] = []
  /** Explanations under way. */
  private explaining = 0
  private readonly entry: URL
  private size: number
  private isStopped = false
  /** The child of trials, and the trial that waits longest for it. */
  private trialChild: ChildProcessHandle | undefined
  private lastTrial: Promise<unknown> = Promise.resolve()
  /** Milliseconds since the epoch. */
  private lastRunAt = 0
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly options: PreforkOptions,
    private readonly log: Logger,
  ) {
    this.entry = options.entry ?? new URL('./compute-child.js', import.meta.url)
    this.size = options.size
    for (let index = 0; index < this.size; index += 1) void this.add()
  }

  get children(): readonly ComputeChild[] {
    return [...this.members]
  }

  countWaiting(longerThanMs: number): number {
    const since = performance.now() - longerThanMs
    return this.queue.filter(({ queuedAt }) => queuedAt <= since).length
  }

  trial(graph: GraphSpec): Promise<OutputTensors> {
    const trial = this.lastTrial.then(() => this.tryOut(graph))
    const settled = trial.then(
      () => undefined,
      () => undefined,
    )
    this.lastTrial = settled
    // The last of a row of trials ends their child.
    void settled.then(() => (this.lastTrial === settled ? this.endTrials() : undefined))
    return trial
  }

  async load(graph: GraphSpec): Promise<void> {
    const members = [...this.members]
    await Promise.all(members.map((child) => child.send({ kind: 'load', graph }, loadTimeoutMs)))
    this.graphs.set(graph.key, graph)
    // A child that was born meanwhile did not know of the graph.
    const late = [...this.members].filter((child) => !members.includes(child))
    await Promise.all(late.map((child) => child.send({ kind: 'load', graph }, loadTimeoutMs)))
  }

  run({ key, rows, count, timeoutMs, isBulk = false, killSignal }: RunRequest): Promise<OutputTensors> {
    return this.enqueue<OutputTensors>({ kind: 'run', key, rows, count }, timeoutMs, killSignal, isBulk)
  }

  explain({ key, output, rows, count, timeoutMs, killSignal, onProgress }: ExplainRequest): Promise<ExplainedRows> {
    const work = { kind: 'explain', key, output, rows, count } as const
    return this.enqueue<ExplainedRows>(work, timeoutMs, killSignal, false, onProgress)
  }

  async resize(size: number): Promise<void> {
    this.size = size
    const staying = [...this.members].filter(({ isRetiring }) => !isRetiring)
    for (const child of staying.slice(size)) this.retire(child)
    await Promise.all(Array.from({ length: Math.max(0, size - staying.length) }, () => this.add()))
  }

  async restart(): Promise<void> {
    for (const child of [...this.members].filter(({ isRetiring }) => !isRetiring)) await this.replace(child)
  }

  async stop(): Promise<void> {
    this.isStopped = true
    clearTimeout(this.timer)
    for (const { reject } of this.queue.splice(0)) reject(stoppedError())
    await Promise.all([...this.members].map((child) => child.kill()))
    await this.endTrials()
  }

  private async tryOut(graph: GraphSpec): Promise<OutputTensors> {
    if (this.isStopped) throw stoppedError()
    const child = (this.trialChild ??= new ChildProcessHandle(
      this.entry,
      () => {
        if (this.trialChild === child) this.trialChild = undefined
      },
      this.logOutput,
    ))
    return (await child.send({ kind: 'load', graph }, loadTimeoutMs)) as OutputTensors
  }

  private async endTrials(): Promise<void> {
    const child = this.trialChild
    this.trialChild = undefined
    await child?.kill()
  }

  private enqueue<Answer>(
    work: QueuedWork['work'],
    timeoutMs: number,
    killSignal: AbortSignal | undefined,
    isBulk = false,
    onProgress?: OnProgress,
  ): Promise<Answer> {
    if (this.isStopped) return Promise.reject(stoppedError())
    return new Promise<Answer>((resolve, reject) => {
      const queuedAt = performance.now()
      const settle = (answer: unknown) => resolve(answer as Answer)
      this.queue.push({ work, timeoutMs, isBulk, queuedAt, killSignal, onProgress, resolve: settle, reject })
      this.pump()
    })
  }

  /** Starts one child; it takes work once every graph is loaded into it. */
  private async add(): Promise<ChildProcessHandle | undefined> {
    const child = new ChildProcessHandle(this.entry, (reason) => this.onExit(child, reason), this.logOutput)
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

  private readonly logOutput = (output: string) => this.log.warn({ output }, 'compute child printed')

  private onExit(child: ChildProcessHandle, reason: string): void {
    this.members.delete(child)
    if (this.isStopped || child.isRetiring) return
    this.log.warn({ child: child.pid, reason }, 'compute child ended; replaced')
    if (child.isReady) void this.add()
    else this.wakeIn(respawnDelayMs)
  }

  /** Gives waiting work to free children and lets due children go. */
  private pump(): void {
    for (const child of this.members) {
      if (!child.isFree) continue
      const next = this.takeNext()
      if (!next) break
      void this.execute(child, next)
    }
    this.recycleDue()
  }

  /**
   * The first work that may start, and bulk work only if there is no other or it has waited for long. An explanation may
   * take a second, so of several children one stays for runs.
   */
  private takeNext(): QueuedWork | undefined {
    const mayExplain = this.explaining < Math.max(1, this.size - 1)
    const patienceMs = this.options.bulkPatienceMs ?? defaultBulkPatienceMs
    const impatientSince = performance.now() - patienceMs
    const mayStart = ({ work }: QueuedWork) => mayExplain || work.kind === 'run'
    const first = this.queue.findIndex(mayStart)
    const oldest = this.queue[first]
    if (!oldest) return undefined
    const isPatient = oldest.isBulk && oldest.queuedAt > impatientSince
    const urgent = isPatient ? this.queue.findIndex((queued) => mayStart(queued) && !queued.isBulk) : first
    return this.queue.splice(urgent < 0 ? first : urgent, 1)[0]
  }

  private async execute(child: ChildProcessHandle, queued: QueuedWork): Promise<void> {
    const { work, timeoutMs, killSignal, onProgress, resolve, reject } = queued
    const kill = () => void child.kill()
    killSignal?.addEventListener('abort', kill)
    const isExplaining = work.kind === 'explain'
    if (isExplaining) this.explaining += 1
    try {
      killSignal?.throwIfAborted()
      resolve(await child.send(work, timeoutMs, onProgress))
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

  private isDue({ tasks, rssBytes }: ChildProcessHandle): boolean {
    const { maxTasksPerChild, maxMemoryPerChildKb } = this.options
    return (
      (maxTasksPerChild > 0 && tasks >= maxTasksPerChild) ||
      (maxMemoryPerChildKb > 0 && rssBytes > maxMemoryPerChildKb * 1024)
    )
  }

  /** Replaces one due child at a time. */
  private recycleDue(): void {
    if (this.isStopped || [...this.members].some(({ isReady, isRetiring }) => !isReady || isRetiring)) return
    const due = [...this.members].find(({ recycleDueAt }) => recycleDueAt !== undefined)
    if (due?.recycleDueAt === undefined) return
    const now = Date.now()
    const isIdle = this.queue.length === 0 && !due.busy && now - this.lastRunAt >= quietMs
    if (isIdle || now - due.recycleDueAt >= recyclePatienceMs) void this.replace(due)
    else this.wakeIn(quietMs)
  }

  private async replace(due: ChildProcessHandle): Promise<void> {
    due.recycleDueAt = undefined
    const successor = await this.add()
    if (successor) this.retire(due)
  }

  private retire(child: ChildProcessHandle): void {
    child.isRetiring = true
    if (!child.busy) void child.kill()
  }

  private wakeIn(delayMs: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      if (this.isStopped) return
      for (let missing = this.size - this.members.size; missing > 0; missing -= 1) void this.add()
      this.pump()
    }, delayMs)
  }
}

const stoppedError = (): MemoryGuardError =>
  new MemoryGuardError('TASK_CHILD_LOST', 'The compute pool has been stopped.', { retryable: true })
