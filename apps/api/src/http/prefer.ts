/** Longest wait that a caller may ask for, in seconds. */
export const maxWaitSeconds = 25

/** Seconds of `Prefer: wait=N` (RFC 7240), at most 25; 0 without it. An unreadable preference is no preference. */
export const waitSecondsOf = (prefer: string | string[] | undefined): number => {
  const match = /(?:^|[,;\s])wait\s*=\s*"?(\d+)"?/i.exec([prefer].flat().join(','))
  return match ? Math.min(Number(match[1]), maxWaitSeconds) : 0
}
