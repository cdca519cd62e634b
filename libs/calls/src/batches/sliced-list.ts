/** Most entries of a piece. */
export const maxPieceEntries = 1_000

/** A long list that is read piece by piece, so that there is never more than one piece of work to do at one time. */
export class SlicedList implements Iterable<readonly unknown[]> {
  /** @param read Begins to read anew: pieces of at most `maxPieceEntries` entries, of `length` entries together. */
  constructor(
    readonly length: number,
    private readonly read: () => Iterator<readonly unknown[]>,
  ) {}

  static from(entries: readonly unknown[]): SlicedList {
    return new SlicedList(entries.length, function* () {
      for (let start = 0; start < entries.length; start += maxPieceEntries) {
        yield entries.slice(start, start + maxPieceEntries)
      }
    })
  }

  [Symbol.iterator](): Iterator<readonly unknown[]> {
    return this.read()
  }
}

/** Two lists of one length side by side, in pieces. */
export function* zip(left: SlicedList, right: SlicedList): Generator<(readonly [unknown, unknown])[]> {
  const rightPieces = right[Symbol.iterator]()
  let waiting: readonly unknown[] = []
  for (const piece of left) {
    for (let taken = 0; taken < piece.length;) {
      if (waiting.length === 0) {
        const next = rightPieces.next()
        if (next.done) return
        waiting = next.value
      }
      const pairs = piece.slice(taken, taken + waiting.length).map((entry, index) => [entry, waiting[index]] as const)
      yield pairs
      taken += pairs.length
      waiting = waiting.slice(pairs.length)
    }
  }
}
