/**
 * SQLSTATE classes of failures that do not depend on the statement: connection, rollback for a deadlock,
 * resources, operator intervention, errors of its system, and of itself.
 */
const passingClasses = ['08', '40', '53', '57', '58', 'XX']
/** It can only be read; it was locked for too long; it ended a session that idled; it is in use by what removes it. */
const passingStates = ['25006', '55P03', '25P03', '25P04', '55006']
const passingErrno = [
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EHOSTDOWN',
  'EAI_AGAIN',
  'EADDRNOTAVAIL',
]
/** pg gives these without a code. */
const passingMessages =
  /connection terminated|timeout exceeded when trying to connect|timeout expired|query read timeout|not queryable|Connection ended/i

/** SQLSTATE of an error of the server, also of one that TypeORM has wrapped; undefined for others. */
export const sqlStateOf = (error: unknown): string | undefined => {
  if (!(error instanceof Error)) return undefined
  if ('driverError' in error && error.driverError !== error) return sqlStateOf(error.driverError)
  return 'code' in error &&
    typeof error.code === 'string' &&
    /^[0-9A-Z]{5}$/.test(error.code) &&
    !/^E[A-Z]{4}$/.test(error.code)
    ? error.code
    : undefined
}

/** Whether an error of a query says that the database cannot be reached or used now, so that trying again may help. */
export const isDatabaseUnavailable = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false
  if ('driverError' in error && error.driverError !== error && isDatabaseUnavailable(error.driverError)) return true
  const state = sqlStateOf(error)
  if (state !== undefined) return passingStates.includes(state) || passingClasses.includes(state.slice(0, 2))
  // A name of several addresses, each of which refused.
  if (error instanceof AggregateError && error.errors.some(isDatabaseUnavailable)) return true
  const code = 'code' in error ? String(error.code) : ''
  return passingErrno.includes(code) || passingMessages.test(error.message)
}

/** SQLSTATE of text with U+0000, which PostgreSQL does not store: as a parameter, and within JSON. */
const refusedText = ['22021', '22P05']

/** Whether the statement failed because a text of it holds what the database cannot hold. */
export const isTextRefused = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && refusedText.includes(error.code)
