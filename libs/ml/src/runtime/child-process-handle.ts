import { fork, type ChildProcess, type StdioOptions } from 'node:child_process'
import { MemoryGuardError } from '#libs/platform'
import type { OnProgress } from '../explain/explanation.js'
import type { ChildMessage, ChildRequest, ChildResult, ChildWork } from './compute-child.js'
import type { ComputeChild } from './compute-pool.js'

interface Pending {
  readonly resolve: (result: ChildResult) => void
  readonly reject: (error: unknown) => void
  readonly onProgress: OnProgress | undefined
  readonly timer: NodeJS.Timeout
}

/** A child keeps no framework and little garbage: a small young generation saves 15 MB and costs it nothing. */
const childFlags = ['--max-semi-space-size=1']

/** Most of what a child prints at once that is kept, in bytes: it prints nothing but its own crash. */
const maxOutputBytes = 2_000

/** One compute child and the requests it has not responded to yet. */
export class ChildProcessHandle implements ComputeChild {
  tasks = 0
  rssBytes = 0
  /** The pool does not count on it any more: it retires, now or when its successor is ready. */
  isLeaving = false
  /** It takes no more work and is ended when idle. */
  isRetiring = false
  /** Every graph is loaded. */
  isReady = false
  /** It was killed because it computed longer than it may. */
  hasTimedOut = false
  /** When its replacement became due, in milliseconds since the epoch. */
  recycleDueAt: number | undefined

  private readonly process: ChildProcess
  private readonly pending = new Map<number, Pending>()
  private nextId = 1
  private readonly exited: Promise<void>
  private hasExited = false

  /** `onExit` is called once, after every pending request has been rejected; `onOutput` with what the child prints. */
  constructor(entry: URL, onExit: (reason: string) => void, onOutput: (text: string) => void) {
    // The child gets no secret: it needs nothing of this process's environment.
    const env = { PATH: process.env['PATH'] ?? '', OMP_NUM_THREADS: '1', ORT_DISABLE_TELEMETRY: '1' }
    const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', 'ipc']
    this.process = fork(entry, { serialization: 'advanced', execArgv: childFlags, env, stdio })
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on('data', (data: Buffer) => onOutput(data.toString('utf8', 0, maxOutputBytes)))
    }
    this.process.on('message', (reply: ChildMessage) => this.onReply(reply))
    this.exited = new Promise((resolve) => {
      const end = (reason: string) => {
        if (this.hasExited) return
        this.hasExited = true
        this.rejectAll(
          new MemoryGuardError('TASK_CHILD_LOST', 'The process that computed it ended.', { retryable: true }),
        )
        onExit(reason)
        resolve()
      }
      this.process.once('error', (error) => end(error.message))
      this.process.once('exit', (code, signal) => end(signal ?? `exit code ${code}`))
    })
  }

  get pid(): number {
    return this.process.pid ?? 0
  }

  get busy(): boolean {
    return this.pending.size > 0
  }

  get isFree(): boolean {
    return this.isReady && !this.isRetiring && !this.busy && !this.hasExited
  }

  /**
   * Sends work and waits for the result. Past the limit the child is killed and the error is TASK_HARD_TIME_LIMIT.
   * A failure inside the child rejects with a plain Error in its words, or with the error of ours that it was.
   */
  send(work: ChildWork, timeoutMs: number, onProgress?: OnProgress): Promise<ChildResult> {
    return new Promise((resolve, reject) => {
      const id = this.nextId++
      const timer = setTimeout(() => {
        this.pending.delete(id)
        this.hasTimedOut = true
        reject(
          new MemoryGuardError('TASK_HARD_TIME_LIMIT', `It ran longer than its hard limit of ${timeoutMs / 1000} s.`),
        )
        void this.kill()
      }, timeoutMs)
      this.pending.set(id, { resolve, reject, onProgress, timer })
      const request: ChildRequest = { id, ...work }
      this.process.send(request, (error) => {
        if (error) this.settle(id, ({ reject: fail }) => fail(lost(error)))
      })
    })
  }

  /** Ends it at once; resolves when it is gone. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL')
    await this.exited
  }

  private onReply(reply: ChildMessage): void {
    this.rssBytes = reply.rssBytes
    if ('progress' in reply) {
      this.pending.get(reply.id)?.onProgress?.(reply.progress.done, reply.progress.total)
      return
    }
    this.settle(reply.id, ({ resolve, reject }) => {
      if ('result' in reply) resolve(reply.result)
      else reject(reply.code ? new MemoryGuardError(reply.code, reply.error) : new Error(reply.error))
    })
  }

  private settle(id: number, how: (pending: Pending) => void): void {
    const pending = this.pending.get(id)
    if (!pending) return
    this.pending.delete(id)
    clearTimeout(pending.timer)
    how(pending)
  }

  private rejectAll(error: MemoryGuardError): void {
    for (const id of [...this.pending.keys()]) this.settle(id, ({ reject }) => reject(error))
  }
}

const lost = (cause: Error): MemoryGuardError =>
  new MemoryGuardError('TASK_CHILD_LOST', 'The process that computes could not be reached.', { cause, retryable: true })
