import type { EntityManager } from 'typeorm'

/**
 * The time of the database, `secondsAgo` seconds back: the one clock by which processes agree on what is due, valid or
 * past its time.
 */
export const readDatabaseTime = async (source: Pick<EntityManager, 'query'>, secondsAgo = 0): Promise<Date> => {
  const [row]: { time: Date }[] = await source.query('SELECT clock_timestamp() - make_interval(secs => $1) AS time', [
    secondsAgo,
  ])
  if (!row) throw new Error('The clock of the database returned no row')
  return row.time
}
