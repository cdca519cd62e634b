/** Why a connection was not made, in a few words. A refusal by several addresses of a name has a code, but no words. */
export const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.message || ('code' in error ? String(error.code) : error.name)
}
