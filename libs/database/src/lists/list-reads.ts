import { CONFIG, MemoryGuardError, type Config } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { DataSource, type QueryRunner } from 'typeorm'
import { poolSizes } from '../connection/data-source.js'

/** Longest time of one statement of a list, and longest wait for its turn, in milliseconds. */
const longestMs = 5_000
/** SQLSTATE of a statement that ran into its time limit. */
const queryCanceled = '57014'

/**
 * The statements of lists and statistics. They get at most half of the connections, so that any number of
 * concurrent lists leaves connections for the rest of the service; each times out after some seconds.
 */
@Injectable()
export class ListReads {
  private free: number
  private readonly waiting: (() => void)[] = []

  constructor(
    private readonly dataSource: DataSource,
    @Inject(CONFIG) config: Config,
  ) {
    this.free = Math.max(1, Math.floor(poolSizes(config).other / 2))
  }

  /**
   * The rows of a statement that only reads.
   * @throws MemoryGuardError SERVER_BUSY if its turn did not come in time, or if it took too long.
   */
  async query<Row extends object>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    await this.takeTurn()
    try {
      return await this.read(sql, values)
    } finally {
      this.endTurn()
    }
  }

  private async read<Row extends object>(sql: string, values: readonly unknown[]): Promise<Row[]> {
    const runner = this.dataSource.createQueryRunner()
    try {
      await runner.query(`BEGIN READ ONLY; SET LOCAL statement_timeout = ${longestMs}`)
      const rows: Row[] = await runner.query(sql, [...values])
      return rows
    } catch (error) {
      throw isCanceled(error)
        ? new MemoryGuardError('SERVER_BUSY', 'The list took too long. Ask for a narrower one, or try again later.')
        : error
    } finally {
      await finish(runner)
    }
  }

  private takeTurn(): Promise<void> {
    if (this.free > 0) {
      this.free -= 1
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const start = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(start), 1)
        reject(new MemoryGuardError('SERVER_BUSY', 'Too many lists are being read. Try again later.'))
      }, longestMs)
      this.waiting.push(start)
    })
  }

  private endTurn(): void {
    const next = this.waiting.shift()
    if (next) next()
    else this.free += 1
  }
}

/** Ends the transaction, which after an error rolls it back. */
const finish = async (runner: QueryRunner): Promise<void> => {
  try {
    await runner.query('COMMIT')
  } finally {
    await runner.release()
  }
}

const isCanceled = (error: unknown): boolean =>
  error instanceof Error &&
  'driverError' in error &&
  error.driverError instanceof Error &&
  'code' in error.driverError &&
  error.driverError.code === queryCanceled
