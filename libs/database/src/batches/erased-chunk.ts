/** What a chunk of a batch holds, as the driver reads it; the arrays are null once it is stored. */
export interface HeldChunk {
  readonly user_ids: readonly string[] | null
  readonly lines: readonly number[] | null
  readonly prediction_ids: readonly string[] | null
  /** A JSON array with an entry for each person. */
  readonly metrics: string | null
  /** By position. */
  readonly warnings: Readonly<Record<string, readonly string[]>> | null
  readonly errors: readonly { readonly user_id: number | null }[]
}

/** A chunk without anything of one person, and how many rows and errors that were. The others keep their order. */
export const withoutPerson = (
  chunk: HeldChunk,
  userId: number,
): { readonly rest: HeldChunk; readonly rows: number; readonly errors: number } => {
  const ids = chunk.user_ids ?? []
  const kept = ids.flatMap((id, position) => (Number(id) === userId ? [] : [position]))
  const only = <Item>(items: readonly Item[] | null): Item[] | null =>
    items && kept.flatMap((position) => items.slice(position, position + 1))
  const warnings: Record<string, readonly string[]> = {}
  kept.forEach((old, position) => {
    const words = chunk.warnings?.[old]
    if (words) warnings[position] = words
  })
  const errors = chunk.errors.filter((error) => error.user_id !== userId)
  return {
    rest: {
      user_ids: only(chunk.user_ids),
      lines: only(chunk.lines),
      prediction_ids: only(chunk.prediction_ids),
      metrics: chunk.metrics === null ? null : JSON.stringify(only(JSON.parse(chunk.metrics) as unknown[])),
      warnings: chunk.warnings && warnings,
      errors,
    },
    rows: ids.length - kept.length,
    errors: chunk.errors.length - errors.length,
  }
}
