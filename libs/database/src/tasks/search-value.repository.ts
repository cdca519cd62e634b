import { Injectable } from '@nestjs/common'
import { ListReads } from '../lists/list-reads.js'
import { selectErrorCodes, selectWorkerNames } from './task-search.sql.js'

/** Values that tasks have, for whoever searches them. */
@Injectable()
export class SearchValueRepository {
  constructor(private readonly reads: ListReads) {}

  /** Codes of errors that tasks have. */
  async listErrorCodes(): Promise<readonly string[]> {
    return toValues(await this.reads.query<ValueRow>(selectErrorCodes))
  }

  /** The first names, in their order, of workers of the last day that begin with a text. */
  async listWorkerNames(start: string, limit: number): Promise<readonly string[]> {
    return toValues(await this.reads.query<ValueRow>(selectWorkerNames, [start, limit]))
  }
}

interface ValueRow {
  readonly value: string
}

const toValues = (rows: readonly ValueRow[]): readonly string[] => rows.map(({ value }) => value)
