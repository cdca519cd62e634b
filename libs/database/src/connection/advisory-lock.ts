import type { DataSource } from 'typeorm'

/** Locks of ours; arbitrary numbers, the same in every process. */
export const advisoryLocks = {
  migrations: 7_301_964,
  maintenance: 7_301_965,
  webhooks: 7_301_966,
  bootstrapKey: 7_301_967,
  statistics: 7_301_968,
} as const

export type AdvisoryLock = keyof typeof advisoryLocks

/**
 * The server ends the session of a holder that has been silent for this long, so that a process that was stopped or lost
 * its machine does not keep the others from the chore. A chore may run longer: it may then run in two processes at once.
 */
const silentMs = 15_000

/**
 * Runs a chore if no other process is at it; returns undefined if one is. The lock lasts as long as a transaction in which
 * nothing else is done, so that no pooler leaves it in a server that it lends to others.
 */
export const withAdvisoryLock = async <Result>(
  dataSource: DataSource,
  lock: AdvisoryLock,
  chore: () => Promise<Result>,
  holderSilentMs = silentMs,
): Promise<Result | undefined> => {
  const runner = dataSource.createQueryRunner()
  await runner.startTransaction()
  try {
    const [row]: { locked: boolean }[] = await runner.query(
      // Without parameters: their portal would hold a snapshot, and so keep vacuum from its work, until the chore ends.
      `SELECT locked, CASE WHEN locked
         THEN set_config('idle_in_transaction_session_timeout', '${holderSilentMs}', true) END
       FROM pg_try_advisory_xact_lock(${advisoryLocks[lock]}) AS locked`,
    )
    return row?.locked ? await chore() : undefined
  } finally {
    // The lock of a session that was ended is free already.
    if (!runner.isReleased) await runner.rollbackTransaction()
    await runner.release()
  }
}
