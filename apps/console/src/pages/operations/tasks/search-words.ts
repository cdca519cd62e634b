/** Words of a search, as the API reads them: blanks between double quotes belong to a word. */
export const wordsOf = (text: string): readonly string[] => text.match(/(?:"[^"]*"|[^\s"]|")+/g) ?? []

/** The search without one of its words. */
export const withoutWord = (text: string, at: number): string =>
  wordsOf(text)
    .filter((_, index) => index !== at)
    .join(' ')

/** The search with further words; one with the same key takes the place of the one before. */
export const withWords = (text: string, more: string): string => {
  const added = wordsOf(more)
  const keys = new Set(added.flatMap((word) => keyOf(word) ?? []))
  const kept = wordsOf(text).filter((word) => !keys.has(keyOf(word) ?? ''))
  return [...kept, ...added].join(' ')
}

/** A condition as a word: `worker:"my worker"`. */
export const wordOf = (key: string, value: string): string => `${key}:${/\s/.test(value) ? `"${value}"` : value}`

/** Whether the last word is complete, so that a blank ends it. */
export const isWhole = (text: string): boolean => (text.match(/"/g)?.length ?? 0) % 2 === 0

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export const isUuid = (text: string): boolean => uuid.test(text)

/** Whether the search is one id and nothing else: of a task, a batch or a prediction. */
export const isFreeId = (text: string): boolean => isUuid(text) || /^\d{1,15}$/.test(text)

const keyOf = (word: string): string | undefined => {
  const colon = word.indexOf(':')
  return colon < 0 ? undefined : word.slice(0, colon).toLowerCase()
}
