import type { DataSource } from 'typeorm'

/** Locks of ours; arbitrary numbers, the same in every process. */
export const advisoryLocks = { migrations: 7_301_964, maintenance: 7_301_965, webhooks: 7_301_966 } as const

export type AdvisoryLock = keyof typeof advisoryLocks

/** Runs a chore if no other process is at it; answers undefined if one is. */
export const withAdvisoryLock = async <Answer>(
  dataSource: DataSource,
  lock: AdvisoryLock,
  chore: () => Promise<Answer>,
): Promise<Answer | undefined> => {
  const runner = dataSource.createQueryRunner()
  await runner.connect()
  try {
    const [row]: { locked: boolean }[] = await runner.query('SELECT pg_try_advisory_lock($1) AS locked', [
      advisoryLocks[lock],
    ])
    if (!row?.locked) return undefined
    try {
      return await chore()
    } finally {
      await runner.query('SELECT pg_advisory_unlock($1)', [advisoryLocks[lock]])
    }
  } finally {
    await runner.release()
  }
}
