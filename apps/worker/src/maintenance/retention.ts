import { AuditRepository, firstTaskId, PlanRepository, RetentionRepository } from '#libs/database'
import { CONFIG, LOGGER, type Config, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'

/** Tasks that one statement reads, and statements of one run: other chores have their turn after them. */
const pageSize = 1_000
const pagesOfRun = 50
/** Batches whose rest one run removes. */
const batchesOfRun = 20
/** Longest time between two searches for what is past its time, in milliseconds. */
const longestPauseMs = 60_000
/** Workers and commands that have been silent for this long are shown by nothing. */
const silentSeconds = 172_800
/** A plan that has finished is kept for 30 days. */
const planSeconds = 2_592_000

/**
 * Removes what is past its time: on an idle system everything that ever finished. What a person's history is made of,
 * the measurements, is no result and stays until the person is erased.
 */
@Injectable()
export class Retention {
  private nextAt = 0
  /** Where the walk along the tasks continues. */
  private afterId = firstTaskId

  constructor(
    private readonly rows: RetentionRepository,
    private readonly audit: AuditRepository,
    private readonly plans: PlanRepository,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** Some statements' worth of it, if it is time. */
  async run(): Promise<void> {
    const now = Date.now()
    if (now < this.nextAt) return
    const { resultTtlSeconds, auditTtlSeconds } = this.config.retention
    let isDone = true
    if (resultTtlSeconds > 0) {
      isDone = await this.removeResults(resultTtlSeconds)
      if (await this.rows.removeMarks(resultTtlSeconds)) isDone = false
    }
    if (auditTtlSeconds > 0 && (await this.audit.removeExpired(auditTtlSeconds))) isDone = false
    if (await this.rows.removeSilentWorkers(silentSeconds)) isDone = false
    await this.plans.removeOld(planSeconds)
    if (isDone) this.nextAt = now + Math.min(longestPauseMs, ...pausesOf(resultTtlSeconds, auditTtlSeconds))
  }

  /** Returns whether it has come to the end. */
  private async removeResults(ttlSeconds: number): Promise<boolean> {
    let removed = 0
    let pages = 0
    let next: string | null = this.afterId
    for (; next !== null && pages < pagesOfRun; pages += 1) {
      const page = await this.rows.removeFinished(ttlSeconds, next, pageSize)
      removed += page.removed
      next = page.next
    }
    this.afterId = next ?? firstTaskId
    const batches = await this.rows.listLeftBatches(ttlSeconds, batchesOfRun)
    let isLeft = batches.length === batchesOfRun
    for (const id of batches) {
      let rest: string | null = id
      for (; rest !== null && pages < pagesOfRun; pages += 1) rest = (await this.rows.removeChunks(rest)).next
      if (rest !== null) isLeft = true
    }
    if (removed > 0) this.log.info({ tasks: removed, batches: batches.length }, 'expired results removed')
    return next === null && !isLeft
  }
}

/** A tenth of the time that things are kept for: nothing stays much longer than it may. */
const pausesOf = (...ttlSeconds: readonly number[]): readonly number[] =>
  ttlSeconds.filter((seconds) => seconds > 0).map((seconds) => seconds * 100)
