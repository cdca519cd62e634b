import { Inject, Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import type { Database } from '../connection/database.js'
import { selectArrears } from './celery.sql.js'

/** A message that could not be read. */
export interface DeadLetter {
  readonly task: string
  readonly queue: string
  /** A sentence without any value of the message. */
  readonly reason: string
  readonly secondsAgo: number
}

/** The calls of Celery clients of late, and what of them did not reach its end. */
export interface CeleryArrears {
  readonly callsOfDay: number
  /** How long ago the last of these came. */
  readonly lastCallSeconds: number | null
  readonly deadLetters: number
  readonly newest: readonly DeadLetter[]
  /** Calls that have ended and whose results are not published. */
  readonly undelivered: number
  /** How long ago the oldest of these has ended. */
  readonly oldestSeconds: number | null
}

/** Reads for operators what of the calls of Celery clients is to be repaired. */
@Injectable()
export class CeleryArrearsRepository {
  constructor(@Inject(DataSource) private readonly database: Database) {}

  async read(): Promise<CeleryArrears> {
    const [row]: CeleryArrears[] = await this.database.query(selectArrears)
    if (!row) throw new Error('The statement has returned no row.')
    return row
  }
}
