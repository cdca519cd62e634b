/** SQLSTATE classes of what passes: connection, rollback for a deadlock, resources, operator intervention. */
const passingClasses = ['08', '40', '53', '57']
const passingErrno = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EHOSTUNREACH', 'EAI_AGAIN']
/** pg gives these without a code. */
const passingMessages = /connection terminated|timeout exceeded when trying to connect|not queryable|Connection ended/i

/** Whether an error of a query says that the database cannot be reached or used now, so that trying again may help. */
export const isDatabaseUnavailable = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false
  if ('driverError' in error && error.driverError !== error && isDatabaseUnavailable(error.driverError)) return true
  const code = 'code' in error ? String(error.code) : ''
  return (
    passingErrno.includes(code) ||
    (code.length === 5 && passingClasses.includes(code.slice(0, 2))) ||
    passingMessages.test(error.message)
  )
}

/** SQLSTATE of text with U+0000, which PostgreSQL does not store: as a parameter, and within JSON. */
const refusedText = ['22021', '22P05']

/** Whether the statement failed because a text of it holds what the database cannot hold. */
export const isTextRefused = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && refusedText.includes(error.code)
