import type { BatchRepository, BatchRowError } from '#libs/database'
import { MemoryGuardError } from '#libs/platform'
import { v7 as uuidv7 } from 'uuid'
import { isRowError, type CheckedRow } from './check-row.js'

/** Rows of one chunk: a few milliseconds of computing, so that single predictions never wait long behind one. */
const chunkRows = 1_000

/** Most rows of a batch. */
const maxBatchRows = 1_000_000

/** Packs rows into chunks and stores each while the next is read: never more than two are in memory. */
export class BatchIntake {
  private chunk = 0
  private rows = 0
  private userIds: number[] = []
  private lines: number[] = []
  private metrics: Readonly<Record<string, number>>[] = []
  private warnings: Record<number, readonly string[]> = {}
  private errors: BatchRowError[] = []
  private storing: Promise<void> = Promise.resolve()

  constructor(
    private readonly batches: BatchRepository,
    readonly id: string,
  ) {}

  /** Rows so far, the refused ones included. */
  get total(): number {
    return this.rows
  }

  /** Returns whether it is time to `flush`. @throws MemoryGuardError REQUEST_TOO_LARGE */
  add(row: CheckedRow): boolean {
    this.rows += 1
    if (this.rows > maxBatchRows) {
      throw new MemoryGuardError(
        'REQUEST_TOO_LARGE',
        `A batch may have at most ${maxBatchRows} rows. Split it; nothing was kept.`,
      )
    }
    if (isRowError(row)) this.errors.push(row)
    else {
      if (row.warnings.length > 0) this.warnings[this.userIds.length] = row.warnings
      this.userIds.push(row.userId)
      this.lines.push(row.line)
      this.metrics.push(row.metrics)
    }
    return this.userIds.length >= chunkRows || this.errors.length >= chunkRows
  }

  /** Resolves when the chunk before is stored, so that ids are taken in the order of the input. */
  async flush(): Promise<void> {
    if (this.userIds.length + this.errors.length === 0) return
    const { userIds, lines, metrics, warnings, errors } = this
    const chunk = { chunk: this.chunk, taskId: uuidv7(), userIds, lines, metrics, warnings, errors }
    this.chunk += 1
    this.userIds = []
    this.lines = []
    this.metrics = []
    this.warnings = {}
    this.errors = []
    await this.storing
    this.storing = this.batches.addChunk(this.id, chunk)
    // A failure is thrown by the next flush or by `finish`.
    this.storing.catch(() => undefined)
  }

  /** Stores the last chunk; resolves when all are stored. */
  async finish(): Promise<void> {
    await this.flush()
    await this.storing
  }

  /** Resolves when nothing is being stored any more, however it ended. */
  async settle(): Promise<void> {
    await this.storing.catch(() => undefined)
  }
}
