import { Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import { PreparedStatements } from './prepared-statements.js'

/** Whether the database does what the work of this process needs, asked over the very connections that the work uses. */
@Injectable()
export class DatabaseReadiness {
  constructor(
    private readonly dataSource: DataSource,
    private readonly prepared: PreparedStatements,
  ) {}

  /** What keeps work from being stored now, in a few words; undefined if nothing does. @throws pg's error */
  async findFault(): Promise<string | undefined> {
    const [rows]: [{ isReadOnly: boolean }[], unknown] = await Promise.all([
      this.dataSource.query<{ isReadOnly: boolean }[]>(
        `SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS "isReadOnly"`,
      ),
      this.prepared.query('SELECT 1 AS one'),
    ])
    return rows[0]?.isReadOnly ? 'can only be read' : this.prepared.recentFault
  }
}
