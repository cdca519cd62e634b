import { setTimeout as pause } from 'node:timers/promises'
import type { AttemptEnd, ClaimedTask, TaskJob } from '#libs/database'
import { MemoryGuardError, MicroBatcher, type QueueName, type Settled } from '#libs/platform'
import { jobPayload, queueSettings } from '#libs/tasks'
import { shownName } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import { HandlerRegistry } from './handler-registry.js'
import { ProgressReports } from './progress-reports.js'
import { WorkerLimits } from '../capacity/worker-limits.js'
import { Attempts } from './attempts.js'
import { GroupReports } from './group-reports.js'
import { RunningGroup } from './running-group.js'
import { parseArgs } from './parse-args.js'
import type { Computed, StartedTask, TaskHandler } from './task-handler.js'

/** How long after the hard limit the runner waits for a child's own report of it, in milliseconds. */
const hardLimitGraceMs = 500

/** A revoke is remembered for this long, in milliseconds: a claim that was committed before it has returned by then. */
const earlyRevokeMs = 10_000

/** The part of a BullMQ job that the runner reads. */
export interface QueuedJob {
  readonly name: string
  readonly data: unknown
}

/** What became of a job: `skipped` means that its task was not waiting for this attempt. */
export type JobOutcome = 'done' | 'skipped'

/**
 * Turns jobs into stored outcomes: claim, compute, store, each once for a whole batch. Written once for all queues;
 * a handler only computes. A job is completed in the broker after its outcome is stored in the database.
 */
@Injectable()
export class TaskRunner {
  private readonly batchers = new Map<string, MicroBatcher<TaskJob, JobOutcome>>()
  /** One for each group under way. */
  private readonly running = new Set<RunningGroup>()
  /** Revokes that arrived before the claim had returned: whether to terminate, by task. */
  private readonly earlyRevokes = new Map<string, boolean>()
  /** Aborted when everything is handed back. */
  private readonly releasing = new AbortController()
  /** Compute children there are. */
  concurrency: number
  /** Batches of jobs taken from the broker so far. */
  batchesTaken = 0

  constructor(
    private readonly attempts: Attempts,
    private readonly handlers: HandlerRegistry,
    private readonly limits: WorkerLimits,
    private readonly progress: ProgressReports,
    private readonly reports: GroupReports,
  ) {
    this.concurrency = limits.concurrency
    attempts.whenRevoked(({ id, terminate }) => this.revoke(id, terminate))
  }

  /** Whether work that came now could be computed at once. */
  get hasFreeChild(): boolean {
    return this.running.size < this.concurrency
  }

  /** Batches that are computed or wait for a child. */
  get batchesUnderWay(): number {
    return this.running.size
  }

  /**
   * Runs the tasks of a job; `done` if one of them was started for it. A job is finished when all its tasks are.
   * @throws the first error that kept one of the results from being stored.
   */
  async process(queue: QueueName, job: QueuedJob): Promise<JobOutcome> {
    const { task_ids: taskIds, attempt } = jobPayload.parse(job.data)
    const batcher = this.batcherOf(queue, job.name)
    const settled = await Promise.allSettled(
      taskIds.map((taskId) => {
        const waitMs = this.limits.rates.take(shownName(job.name))
        const start = () => batcher.add({ taskId, attempt })
        return waitMs > 0 ? this.pause(waitMs).then(start) : start()
      }),
    )
    const failed = settled.find((outcome) => outcome.status === 'rejected')
    if (failed) throw failed.reason
    return settled.some((outcome) => outcome.status === 'fulfilled' && outcome.value === 'done') ? 'done' : 'skipped'
  }

  /** Waits, but not when everything is handed back. */
  private pause(ms: number): Promise<void> {
    return pause(ms, undefined, { signal: this.releasing.signal }).catch(() => undefined)
  }

  /** Hands back what still runs: it is queued again without using a retry. */
  releaseAll(): void {
    this.releasing.abort()
    this.attempts.release()
    for (const group of this.running) group.release(releasedError())
  }

  /**
   * Ends a running task as cancelled, if it runs here; the database keeps others from claiming it. What computes it is
   * asked to stop, and killed after the grace if no other task needs it or if it is to be terminated.
   */
  revoke(id: string, terminate: boolean): void {
    for (const group of this.running) {
      if (!group.tasks.some((task) => task.id === id)) continue
      this.revokeIn(group, id, terminate)
      return
    }
    this.earlyRevokes.set(id, terminate)
    setTimeout(() => this.earlyRevokes.delete(id), earlyRevokeMs).unref()
  }

  private revokeIn(group: RunningGroup, id: string, terminate: boolean): void {
    const task = group.tasks.find((member) => member.id === id)
    if (!task) return
    const isFirst = !group.isRevoked(task)
    group.revoke(id, terminate, this.limits.revokeGraceMs)
    if (isFirst) this.attempts.revoke(task, new MemoryGuardError('TASK_REVOKED', 'It was revoked.'))
  }

  private batcherOf(queue: QueueName, name: string): MicroBatcher<TaskJob, JobOutcome> {
    const key = `${queue} ${name}`
    const existing = this.batchers.get(key)
    if (existing) return existing
    const { batchSize, batchWaitMs, extraBatches } = queueSettings[queue]
    const batcher = new MicroBatcher<TaskJob, JobOutcome>({
      maxSize: batchSize,
      maxInFlight: () => this.concurrency + extraBatches,
      maxWaitMs: batchWaitMs,
      flush: (jobs) => this.runBatch(name, jobs),
    })
    this.batchers.set(key, batcher)
    return batcher
  }

  private async runBatch(name: string, jobs: readonly TaskJob[]): Promise<readonly Settled<JobOutcome>[]> {
    this.batchesTaken += 1
    const fresh = jobs.filter(({ attempt }) => attempt === 1)
    const again = jobs.filter(({ attempt }) => attempt > 1)
    const started = new Set<string>()
    const run = async (part: readonly TaskJob[]) => {
      for (const { id } of await this.claimAndRun(name, part)) started.add(id)
    }
    // What has been started before runs alone, for a process may have died under it, and is claimed only when a child
    // may be free: a task that merely waits must not be counted among those under which this worker dies.
    const lane = async () => {
      for (let job = again.shift(); job; job = again.shift()) await run([job])
    }
    const lanes = Array.from({ length: Math.min(again.length, this.concurrency) }, lane)
    await Promise.all([fresh.length > 0 && run(fresh), ...lanes])
    return jobs.map(({ taskId }) => ({ value: started.has(taskId) ? 'done' : 'skipped' }))
  }

  private async claimAndRun(name: string, jobs: readonly TaskJob[]): Promise<readonly ClaimedTask[]> {
    // What waits here has not started; the reconciler finds it for another worker.
    if (this.releasing.signal.aborted) return []
    const claimMs = performance.now()
    const claimed = await this.attempts.claim(jobs)
    const settled = await Promise.allSettled(
      byLimits(claimed).map((tasks) =>
        this.runGroup(this.handlers.find(name), tasks, claimMs).finally(() => this.attempts.letGo(tasks)),
      ),
    )
    const failed = settled.find((outcome) => outcome.status === 'rejected')
    if (failed) throw failed.reason
    return claimed
  }

  private async runGroup(
    handler: TaskHandler | undefined,
    tasks: readonly ClaimedTask[],
    claimMs: number,
  ): Promise<void> {
    const computeMs = performance.now()
    const group = new RunningGroup(tasks)
    this.running.add(group)
    for (const [id, terminate] of this.earlyRevokes) this.revokeIn(group, id, terminate)
    const outcomes = await this.compute(handler, group)
    group.end()
    this.running.delete(group)
    const storeMs = performance.now()
    const computed: Computed<unknown>[] = []
    const ends: AttemptEnd[] = []
    tasks.forEach((task, index) => {
      // Its end has been stored when it was revoked.
      if (group.isRevoked(task)) return
      const outcome = outcomes[index]
      if (outcome && 'value' in outcome) computed.push(outcome.value)
      else ends.push(this.attempts.endOf(task, outcome?.error))
    })
    const [stored] = await Promise.all([
      handler && computed.length > 0
        ? this.attempts.whileDatabaseIsDown(() => handler.store(computed))
        : new Set<string>(),
      ends.length > 0 && this.attempts.settle(tasks, ends),
    ])
    this.reports.report({
      tasks,
      computed: computed.length,
      stored,
      ends,
      claimMs,
      computeMs,
      storeMs,
      endMs: performance.now(),
    })
  }

  /** Returns an outcome for each task of the group, in order. */
  private async compute(
    handler: TaskHandler | undefined,
    group: RunningGroup,
  ): Promise<readonly Settled<Computed<unknown>>[]> {
    const { tasks } = group
    if (!handler) {
      const error = new MemoryGuardError('TASK_UNKNOWN', 'No handler of this worker knows the task.')
      return tasks.map(() => ({ error }))
    }
    if (this.releasing.signal.aborted) return tasks.map(() => ({ error: releasedError() }))
    const { soft, hard } = this.limits.timesOf(shownName(handler.contract.name))
    const hardLimitMs = timerMs(tasks[0]?.limits?.time_limit_seconds ?? hard)
    const softLimitMs = timerMs(tasks[0]?.limits?.soft_time_limit_seconds ?? soft)
    group.askIn(softLimitMs, () => limitError('TASK_SOFT_TIME_LIMIT', 'soft', softLimitMs))
    // A child is killed at its limit and says so itself; this ends the wait for work that is not in a child.
    group.abandonIn(hardLimitMs + hardLimitGraceMs, () => limitError('TASK_HARD_TIME_LIMIT', 'hard', hardLimitMs))
    const { signal, killSignal } = group
    const context = { signal, killSignal, hardLimitMs, progress: this.progress.report }
    const parsed = tasks.map((task) => parseArgs(handler.contract, task))
    const started = parsed.flatMap((each) => ('value' in each ? [each.value] : []))
    try {
      const outcomes = started.length === 0 ? [] : await group.race(handler.compute(started, context))
      if (signal.aborted) return tasks.map(() => ({ error: signal.reason }))
      const next = outcomes.values()
      return parsed.map((each) => ('error' in each ? each : outcomeOf(each.value, next.next().value)))
    } catch (error) {
      return tasks.map(() => ({ error }))
    }
  }
}

const outcomeOf = (task: StartedTask, outcome: Settled<unknown> | undefined): Settled<Computed<unknown>> => {
  if (!outcome) return { error: new Error('The handler returned fewer outcomes than it was given') }
  return 'error' in outcome ? outcome : { value: { task, output: outcome.value } }
}

/** Tasks by their time limits: one that runs out of time must not end others with it. */
const byLimits = (tasks: readonly ClaimedTask[]): readonly (readonly ClaimedTask[])[] => {
  const groups = new Map<string, ClaimedTask[]>()
  for (const task of tasks) {
    const key = `${task.limits?.time_limit_seconds} ${task.limits?.soft_time_limit_seconds}`
    const group = groups.get(key)
    if (group) group.push(task)
    else groups.set(key, [task])
  }
  return [...groups.values()]
}

/** A time limit in milliseconds: Node's timers end at once when they are to wait longer than this. */
const timerMs = (seconds: number): number => Math.min(seconds * 1000, 2 ** 31 - 1 - hardLimitGraceMs)

const limitError = (
  code: 'TASK_SOFT_TIME_LIMIT' | 'TASK_HARD_TIME_LIMIT',
  word: string,
  ms: number,
): MemoryGuardError => new MemoryGuardError(code, `It ran longer than its ${word} limit of ${ms / 1000} s.`)

const releasedError = (): MemoryGuardError =>
  new MemoryGuardError('TASK_RELEASED', 'The worker stopped and handed it back.')
