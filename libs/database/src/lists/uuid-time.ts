/** The smallest UUID version 7 of a time: ids that were made before are smaller. */
export const firstIdOf = (time: Date): string => {
  const hex = Math.max(0, time.getTime()).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7000-8000-000000000000`
}

/** Whether an id is a UUID version 7 that was made before a time. */
export const isMadeBefore = (id: string, time: Date): boolean => id[14] === '7' && id.toLowerCase() < firstIdOf(time)
