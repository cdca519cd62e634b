import { ProgressRepository, type ClaimedTask, type ProgressReport } from '#libs/database'
import { LOGGER, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'

/** The progress of a task is stored at most this often, in milliseconds; that of a task which ends sooner, not at all. */
const intervalMs = 1_000

/** How far a handler is with a task. */
export interface TaskProgress {
  /** What it is doing, in a word. */
  readonly stage?: string
  readonly done: number
  readonly total: number
}

/** Collects progress from handlers, and stores the latest of each task once a second, in one statement. */
@Injectable()
export class ProgressReports {
  private readonly latest = new Map<string, ProgressReport>()
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly repository: ProgressRepository,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** Bound, because handlers get this function alone. */
  readonly report = (
    tasks: readonly Pick<ClaimedTask, 'id' | 'attempt'>[],
    { stage, done, total }: TaskProgress,
  ): void => {
    for (const { id, attempt } of tasks) {
      this.latest.set(id, { taskId: id, attempt, stage: stage ?? null, done, total })
    }
    this.timer ??= setTimeout(() => void this.store(), intervalMs).unref()
  }

  private async store(): Promise<void> {
    this.timer = undefined
    const reports = [...this.latest.values()]
    this.latest.clear()
    try {
      await this.repository.store(reports)
    } catch (error) {
      // The next report makes it good.
      this.log.debug({ err: error }, 'progress not stored')
    }
  }
}
