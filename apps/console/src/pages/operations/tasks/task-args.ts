/** Why a text is no JSON object, as a sentence for its field; undefined if it is one. */
export const argsFault = (text: string): string | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? undefined
      : 'Must be a JSON object, such as {"user_id": 123}.'
  } catch (error) {
    return `Is not JSON: ${error instanceof Error ? error.message : 'it cannot be read'}.`
  }
}

/** A text without `argsFault` as arguments. */
export const parseArgs = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>
