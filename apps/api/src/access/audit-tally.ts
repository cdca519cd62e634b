/** Something that happens often, and is recorded by how often it did. */
export interface Observation {
  /** `noun.verb`, for example `person.read`. */
  readonly action: string
  readonly apiKeyId: string | null
  /** A person by number, or what else it is about by name. */
  readonly target: number | string
  readonly requestId: string
  /** What is counted apart, for example `{ routes: 'GET /v1/predictions' }`. */
  readonly facets: Readonly<Record<string, string>>
}

/** Observations of one action, key and target. */
export interface Tally {
  readonly action: string
  readonly apiKeyId: string | null
  readonly target: number | string
  /** Of the first one. */
  requestId: string | null
  count: number
  /** How often each value came, by facet. */
  readonly facets: Record<string, Record<string, number>>
  /** Milliseconds of the tally's clock. */
  firstAt: number
  lastAt: number
}

export interface TallyOptions {
  /** Maximum number of rows, each of one action, key and target. Further observations are counted in one common row. */
  readonly maxRows: number
  /** Shortest time between two entries of one row, in milliseconds. */
  readonly windowMs: number
  /** Whether rows that were taken make room for others: then a row may be taken again before its time. */
  readonly makesRoom: boolean
}

interface Row {
  readonly of: Subject
  tally: Tally | undefined
  /** When it is taken, or forgotten if nothing has come. */
  dueAt: number
}

type Subject = Pick<Tally, 'action' | 'apiKeyId' | 'target'>

/** Target of what is counted together. */
const others = 'others'
/** Maximum number of values of a facet that have a count of their own. */
const maxValues = 20

/**
 * Counts observations in bounded memory. The first one of a row is due at once, further ones when the window is over,
 * so that what is repeated all the time leaves one entry a window.
 */
export class AuditTally {
  private readonly rows = new Map<string, Row>()
  private opened = 0

  constructor(
    private readonly options: TallyOptions,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Rows that were opened since the last take. */
  get fresh(): number {
    return this.opened
  }

  add({ facets, requestId, ...of }: Observation): void {
    const now = this.now()
    const row = this.findRow(of)
    const tally = tallyOf(row, { requestId, firstAt: now })
    tally.count += 1
    tally.lastAt = now
    for (const facet in facets) count((tally.facets[facet] ??= {}), facets[facet] ?? others, 1)
  }

  /** Takes what is due, or everything. */
  take(everything = false): readonly Tally[] {
    const now = this.now()
    const taken: Tally[] = []
    this.opened = 0
    for (const [key, row] of this.rows) {
      if (!everything && row.dueAt > now) continue
      if (row.tally) taken.push(row.tally)
      else this.rows.delete(key)
      row.tally = undefined
      row.dueAt = now + this.options.windowMs
    }
    return taken
  }

  /** Takes back what could not be stored; it is due at once. */
  giveBack(tallies: readonly Tally[]): void {
    for (const given of tallies) {
      const row = this.findRow(given)
      row.dueAt = this.now()
      const tally = tallyOf(row, given)
      tally.count += given.count
      tally.lastAt = Math.max(tally.lastAt, given.lastAt)
      for (const [facet, values] of Object.entries(given.facets)) {
        for (const [value, number] of Object.entries(values)) count((tally.facets[facet] ??= {}), value, number)
      }
    }
  }

  private findRow({ action, apiKeyId, target }: Subject): Row {
    const key = `${action} ${apiKeyId} ${target}`
    const known = this.rows.get(key)
    if (known) return known
    if (this.rows.size >= this.options.maxRows && this.options.makesRoom) this.forgetTaken()
    if (this.rows.size >= this.options.maxRows && target !== others) {
      return this.findRow({ action, apiKeyId: null, target: others })
    }
    const row: Row = { of: { action, apiKeyId, target }, tally: undefined, dueAt: this.now() }
    this.rows.set(key, row)
    this.opened += 1
    return row
  }

  private forgetTaken(): void {
    for (const [key, { tally }] of this.rows) if (!tally) this.rows.delete(key)
  }
}

/** The tally of a row, which may have its first observation now. */
const tallyOf = (row: Row, { requestId, firstAt }: Pick<Tally, 'requestId' | 'firstAt'>): Tally => {
  row.tally ??= { ...row.of, requestId: null, count: 0, facets: {}, firstAt: Infinity, lastAt: 0 }
  const { tally } = row
  if (firstAt < tally.firstAt) {
    tally.firstAt = firstAt
    tally.requestId = row.of.target === others ? null : requestId
  }
  return tally
}

const count = (known: Record<string, number>, value: string, number: number): void => {
  const name = Object.hasOwn(known, value) || Object.keys(known).length < maxValues ? value : others
  known[name] = (known[name] ?? 0) + number
}
