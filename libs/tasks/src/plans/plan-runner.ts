import {
  BatchRepository,
  isDatabaseUnavailable,
  PlanRepository,
  TaskCallRepository,
  TaskRepository,
  type Database,
  type EnqueueableTask,
  type PlanSlice,
  type RevokedTask,
} from '#libs/database'
import { LOGGER, PeriodicLoop, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { v7 as uuidv7 } from 'uuid'
import { Broker } from '../broker/broker.js'
import { FinishedLines } from '../finished-lines.js'
import { removeRevoked, storeRevokes } from '../submission/async-result.js'
import { Submissions } from '../submission/submissions.js'

/** A plan that was started elsewhere is noticed after this long, in milliseconds. */
const pollMs = 1_000
/** Pause before tasks that others were changing are tried again, in milliseconds. */
const busyMs = 50

/** What is to be done outside the database once a slice is stored. */
interface Consequences {
  readonly replays: readonly EnqueueableTask[]
  readonly revoked: readonly RevokedTask[]
}

/**
 * Runs plans slice by slice. Every api and worker does this; the lock of a slice keeps the others from it, so that any
 * of them may die at any time.
 */
@Injectable()
export class PlanRunner {
  readonly loop: PeriodicLoop

  constructor(
    private readonly plans: PlanRepository,
    private readonly tasks: TaskRepository,
    private readonly submissions: Submissions,
    private readonly broker: Broker,
    private readonly lines: FinishedLines,
    @Inject(LOGGER) log: Logger,
  ) {
    this.loop = new PeriodicLoop(
      {
        name: 'plans',
        intervalMs: pollMs,
        run: () => this.run(),
        failure: 'slice of a plan not done; trying again',
        levelOf: (error) => (isDatabaseUnavailable(error) ? 'warn' : 'error'),
      },
      log,
    )
  }

  /** Does what there is to do. Returns the time until the next check, in milliseconds. */
  private async run(): Promise<number> {
    let following = Promise.resolve()
    try {
      while (!this.loop.isStopped) {
        let consequences: Consequences = { replays: [], revoked: [] }
        const turn = await this.plans.runSlice(async (database, taken, ids) => {
          consequences = await this.change(database, taken, ids)
          return taken.action === 'retry' ? consequences.replays.length : ids.length
        })
        if (turn === 'idle') return pollMs
        if (turn === 'busy') return busyMs
        await following
        // The broker works on it while the database works on the next slice.
        following = this.follow(consequences)
      }
      return pollMs
    } finally {
      await following
    }
  }

  private async change(
    database: Database,
    { action, terminate, runBy }: PlanSlice,
    ids: readonly string[],
  ): Promise<Consequences> {
    const calls = new TaskCallRepository(database)
    if (action === 'retry') {
      const replays = await calls.replay(new Map(ids.map((id) => [id, uuidv7()])), runBy)
      return { replays: replays.flatMap(({ task, isNew }) => (isNew ? [task] : [])), revoked: [] }
    }
    const batches = new BatchRepository(database, this.tasks)
    return { replays: [], revoked: await storeRevokes({ calls, batches }, ids, terminate) }
  }

  /** What is missed here, for the process dies, the reconciler enqueues, and whoever takes a revoked job skips it. */
  private async follow({ replays, revoked }: Consequences): Promise<void> {
    this.submissions.enqueue(replays)
    this.lines.reportUnrun(revoked.filter(({ state }) => state === 'cancelled'))
    // A broker that does not respond would hold up each slice.
    if (!this.broker.outage.isKnown) await removeRevoked(this.broker, revoked)
  }
}
