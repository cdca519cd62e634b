import { z } from 'zod'

/** Rows of one page. */
export const pageLimit = z.coerce.number().int().min(1).max(500).default(50)

/** One page of rows that were read with one more than its limit. */
export const toPage = <Row, Item>(
  rows: readonly Row[],
  limit: number,
  toItem: (row: Row) => Item,
  cursorOf: (row: Row) => string,
): { items: Item[]; next_cursor: string | null } => {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return { items: shown.map(toItem), next_cursor: rows.length > limit && last ? cursorOf(last) : null }
}
