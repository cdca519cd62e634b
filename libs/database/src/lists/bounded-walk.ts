/** One page of a list, newest first. */
export interface ListPage<Row> {
  readonly rows: readonly Row[]
  /**
   * Where the next page begins: every fitting row down to this key, itself included, has been given out; null at the end
   * of the list. It may be set although the page is not full, or empty: see `walk`.
   */
  readonly next: string | null
}

/** What one statement of a walk has found. */
export interface WalkStep<Row> {
  readonly rows: readonly Row[]
  /** The key down to which it has read, if it found fewer rows than it was to; null at the end of the list. */
  readonly readTo: string | null
}

/** Rows that one statement of a walk reads, whether they fit or not. */
export const stepRows = 20_000
/** A walk ends with what it has after this time, in milliseconds. */
const walkMs = 120

/**
 * Walks down a list in statements of bounded size until a page is full. Where few rows fit, the page ends after a time
 * instead, with fewer rows than its limit or none, so that no list takes longer however much is stored; the caller goes on
 * from `next`. `step` reads keys below `before` for up to `missing` rows.
 */
export const walk = async <Row>(
  limit: number,
  before: string,
  step: (before: string, missing: number) => Promise<WalkStep<Row>>,
  keyOf: (row: Row) => string,
): Promise<ListPage<Row>> => {
  const startedAt = performance.now()
  const rows: Row[] = []
  for (let at = before; ;) {
    const found = await step(at, limit + 1 - rows.length)
    rows.push(...found.rows)
    const last = rows[limit - 1]
    if (rows.length > limit && last) return { rows: rows.slice(0, limit), next: keyOf(last) }
    if (found.readTo === null) return { rows, next: null }
    at = found.readTo
    if (performance.now() - startedAt > walkMs) return { rows, next: at }
  }
}

/**
 * One page of several lists. A row that has moved from one list to another between the reads is in both, and is given
 * out once. `isAbove` says whether the first key is the greater one.
 */
export const mergePages = <Row>(
  pages: readonly ListPage<Row>[],
  limit: number,
  keyOf: (row: Row) => string,
  isAbove: (a: string, b: string) => boolean,
): ListPage<Row> => {
  // Below the end of any of the pages, rows of its list may be missing.
  const ends = pages.flatMap(({ next }) => next ?? [])
  const end = ends.reduce<string | null>(
    (highest, key) => (highest === null || isAbove(key, highest) ? key : highest),
    null,
  )
  const found = new Map(pages.flatMap((page) => page.rows).map((row) => [keyOf(row), row]))
  const rows = [...found.values()]
    .filter((row) => end === null || !isAbove(end, keyOf(row)))
    .toSorted((a, b) => (isAbove(keyOf(a), keyOf(b)) ? -1 : 1))
  const last = rows[limit - 1]
  return rows.length > limit && last ? { rows: rows.slice(0, limit), next: keyOf(last) } : { rows, next: end }
}
