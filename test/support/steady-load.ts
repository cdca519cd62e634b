import { randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { query, queryNumber } from './query.js'
import { waitFor } from './wait-for.js'

/** Requests that are under way at once, at most: the others wait for a connection, as those of real callers do. */
const maxSockets = 512
/** Between two rounds of requests, in milliseconds. */
const roundMs = 10
/** A caller repeats a rejected submission after this long, in milliseconds. */
const repeatMs = 500
/** A caller gives up a request without a response after this long, and repeats it, in milliseconds. */
const silenceMs = 30_000

/** What a load generator has seen. */
export interface LoadReport {
  /** Submissions, each with an idempotency key of its own. */
  readonly submitted: number
  /** Submissions that have been accepted in the end. */
  readonly accepted: number
  /** Requests without a 202 or 200, by status or code of the error; their submissions were repeated. */
  readonly refused: Readonly<Record<string, number>>
  /** The longest time from the first request of a submission to its acceptance, in milliseconds. */
  readonly slowestMs: number
}

/** What the database says of the submissions of a load in the end. */
export interface LoadOutcome {
  /** Accepted tasks that have not succeeded. */
  readonly lost: number
  /** Results beyond one for each task, and predictions beyond one for each submission. */
  readonly doubled: number
  /** Tasks that were started more than once, for their first worker lost them. */
  readonly repeated: number
  /** The longest time in which no task ended, in seconds. */
  readonly gapSeconds: number
  /** From the fault to the end of the last task that took longer than `slowSeconds`; 0 if none did. */
  readonly recoverySeconds: number
}

/** A task takes longer than this, in seconds, only while something is out of order. */
const slowSeconds = 1

/** Submits predictions at a fixed rate, whatever becomes of those before, and repeats each until it is accepted. */
export class SteadyLoad {
  private readonly run = randomUUID()
  private readonly agent = new Agent({ keepAlive: true, maxSockets })
  private readonly taskIds = new Map<number, string>()
  private readonly refused: Record<string, number> = {}
  private readonly open = new Set<Promise<void>>()
  private submitted = 0
  private slowestMs = 0
  private isStopped = false
  private rounds: Promise<void> | undefined
  private failedAt: Date | undefined

  constructor(
    private readonly target: { readonly url: string; readonly key: string },
    private readonly perSecond: number,
  ) {}

  start(): void {
    this.rounds = this.submitRounds()
  }

  /** Notes that the fault happens now. */
  markFault(): void {
    this.failedAt = new Date()
  }

  /** Resolves when so many submissions have been accepted. */
  async untilAccepted(count: number, timeoutMs = 60_000): Promise<void> {
    await waitFor(() => this.taskIds.size >= count, { what: `${count} accepted submissions`, timeoutMs })
  }

  /** How many submissions have been accepted so far. */
  get accepted(): number {
    return this.taskIds.size
  }

  /** Submits no more; resolves when all that were submitted have been accepted. */
  async stop(): Promise<LoadReport> {
    this.isStopped = true
    await this.rounds
    await Promise.all(this.open)
    this.agent.destroy()
    const { submitted, refused, slowestMs } = this
    return { submitted, accepted: this.taskIds.size, refused, slowestMs: Math.round(slowestMs) }
  }

  /** Waits until every task has ended, and returns what became of them. Call it after `stop`. */
  async readOutcome(databaseUrl: string, timeoutMs = 120_000): Promise<LoadOutcome> {
    const ofRun = `idempotency_key LIKE '${this.run}-%'`
    await waitFor(
      async () =>
        (await queryNumber(
          databaseUrl,
          `SELECT count(*)::int AS number FROM tasks WHERE ${ofRun} AND finished_at IS NULL`,
        )) === 0,
      { what: 'every task to end', timeoutMs, intervalMs: 200 },
    )
    const rows = await query<{ id: string; state: string; attempt: number; successes: number; predictions: number }>(
      databaseUrl,
      `SELECT id, state, attempt, coalesce(successes, 0) AS successes, coalesce(predictions, 0) AS predictions
       FROM tasks
       LEFT JOIN (SELECT task_id AS id, count(*)::int AS successes FROM task_attempts WHERE outcome = 'succeeded'
                  GROUP BY task_id) AS a USING (id)
       LEFT JOIN (SELECT task_id AS id, count(*)::int AS predictions FROM predictions GROUP BY task_id) AS p USING (id)
       WHERE ${ofRun}`,
    )
    const succeeded = new Set(rows.filter(({ state }) => state === 'succeeded').map(({ id }) => id))
    const beyondOne = (count: number): number => Math.max(0, count - 1)
    const [times] = await query<{ gap: number; recovery: number }>(
      databaseUrl,
      `SELECT coalesce(max(gap), 0)::float8 AS gap,
         coalesce(max(extract(epoch FROM finished_at - $1::timestamptz)) FILTER (WHERE took > $2), 0)::float8 AS recovery
       FROM (SELECT finished_at, extract(epoch FROM finished_at - created_at) AS took,
               extract(epoch FROM finished_at - lag(finished_at) OVER (ORDER BY finished_at)) AS gap
             FROM tasks WHERE ${ofRun}) AS ends`,
      [this.failedAt ?? new Date(), slowSeconds],
    )
    return {
      lost: [...this.taskIds.values()].filter((id) => !succeeded.has(id)).length,
      doubled: rows.reduce((sum, row) => sum + beyondOne(row.successes) + beyondOne(row.predictions), 0),
      repeated: rows.filter(({ attempt }) => attempt > 1).length,
      gapSeconds: Number((times?.gap ?? 0).toFixed(1)),
      recoverySeconds: Number(Math.max(0, times?.recovery ?? 0).toFixed(1)),
    }
  }

  private async submitRounds(): Promise<void> {
    const startedAt = performance.now()
    while (!this.isStopped) {
      const due = Math.floor(((performance.now() - startedAt) / 1000) * this.perSecond)
      while (this.submitted < due) this.begin(this.submitted++)
      await pause(roundMs)
    }
  }

  private begin(index: number): void {
    const submission = this.submit(index).finally(() => this.open.delete(submission))
    this.open.add(submission)
  }

  private async submit(index: number): Promise<void> {
    const startedAt = performance.now()
    for (;;) {
      const { status, taskId } = await this.post(index)
      if (taskId !== undefined) {
        this.taskIds.set(index, taskId)
        this.slowestMs = Math.max(this.slowestMs, performance.now() - startedAt)
        return
      }
      this.refused[status] = (this.refused[status] ?? 0) + 1
      await pause(repeatMs)
    }
  }

  private post(index: number): Promise<{ readonly status: string; readonly taskId?: string }> {
    const body = JSON.stringify({
      user_id: (index % 100_000) + 1,
      health_metrics: { mmse_score: 10 + (index % 21), age: 55 + (index % 40) },
    })
    return new Promise((resolve) => {
      const call = request(`${this.target.url}/v1/predictions`, {
        method: 'POST',
        agent: this.agent,
        timeout: silenceMs,
        headers: {
          authorization: `Bearer ${this.target.key}`,
          'content-type': 'application/json',
          'idempotency-key': `${this.run}-${index}`,
        },
      })
      call.on('timeout', () => call.destroy(Object.assign(new Error('no response'), { code: 'silence' })))
      call.on('error', (error) => resolve({ status: 'code' in error ? String(error.code) : error.message }))
      call.on('response', (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
        response.on('end', () => {
          const status = String(response.statusCode)
          resolve(['200', '202'].includes(status) ? { status, taskId: taskIdIn(text) } : { status })
        })
        response.on('error', () => resolve({ status: 'cut off' }))
      })
      call.end(body)
    })
  }
}

const taskIdIn = (text: string): string => (JSON.parse(text) as { readonly task_id: string }).task_id
