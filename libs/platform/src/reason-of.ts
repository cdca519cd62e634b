/** Why a connection was not made, in a few words. An error of several addresses of a name has a code, but no message. */
export const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.message || ('code' in error ? String(error.code) : error.name)
}
