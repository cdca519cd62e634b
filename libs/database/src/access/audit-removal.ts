import { createHash } from 'node:crypto'

/** The action of the entry that is written when old entries are removed; its target is the id of the last one removed. */
export const expiry = 'audit.expire'

/** An entry and its hash, by which a later check finds out whether the chain up to it is still the same. */
export interface AuditCheckpoint {
  readonly id: number
  /** SHA-256, 64 hexadecimal digits. */
  readonly hash: string
  /** Time of the entry; undefined in a checkpoint of an older version, null where there is no such entry. */
  readonly at?: Date | null
}

/** An entry `audit.expire` as it is stored, whatever wrote it. */
export interface StoredRemoval {
  readonly id: number
  /** Microseconds since 1970. */
  readonly atUs: number
  readonly target: string
  readonly details: Readonly<Record<string, unknown>>
}

/** What a check judges a removal by. */
export interface RemovalEvidence {
  /** The oldest entry that is left. */
  readonly first: { readonly id: number; readonly previousHash: string }
  /** The newest entries `audit.expire`. */
  readonly removals: readonly StoredRemoval[]
  readonly known: AuditCheckpoint | undefined
  /** `AUDIT_TTL_SECONDS`; 0 lets nothing expire. */
  readonly ttlSeconds: number
  readonly nowUs: number
}

export interface RemovalVerdict {
  /** Whether an entry accounts for the removal. */
  readonly isRecorded: boolean
  /** Whether what was removed had been kept for its time. */
  readonly isDue: boolean
  /** Whether a checkpoint before `first` may have been removed for its age. */
  readonly isCheckpointExpired: boolean
}

/** Judges whether the beginning of the trail was removed for its age. */
export const judgeRemoval = (evidence: RemovalEvidence): RemovalVerdict => {
  const verdicts = evidence.removals.map((removal) => judge(removal, evidence))
  const best = verdicts.find(({ isDue }) => isDue) ?? verdicts.find(({ isRecorded }) => isRecorded)
  return best ?? { isRecorded: false, isDue: false, isCheckpointExpired: false }
}

const judge = (removal: StoredRemoval, evidence: RemovalEvidence): RemovalVerdict => {
  const { first, known, ttlSeconds } = evidence
  const last = lastRemoved(removal, first)
  const isDue = last !== undefined && isPast(removal, last, evidence)
  if (!last || !known) return { isRecorded: last !== undefined, isDue, isCheckpointExpired: false }
  const isSameEntry = known.id !== last.id || known.hash === first.previousHash
  const isOldEnough = !known.at || known.at.getTime() * 1_000 + ttlSeconds * 1e6 <= removal.atUs
  return { isRecorded: true, isDue, isCheckpointExpired: isDue && isSameEntry && isOldEnough }
}

/** What was removed before the last check was judged by it; later removals follow the setting that is in force. */
const isPast = (
  { id, atUs, details }: StoredRemoval,
  last: LastRemoved,
  { known, ttlSeconds, nowUs }: RemovalEvidence,
): boolean => {
  if (known && id <= known.id) return true
  // A checkpoint with a time is of a version whose removals hold a proof.
  if (last.atUs === undefined) return !known || (ttlSeconds > 0 && !known.at)
  const ttl = known ? ttlSeconds : Number(details['ttl_seconds'])
  return ttl > 0 && last.atUs + ttl * 1e6 <= atUs && atUs <= nowUs
}

interface LastRemoved {
  readonly id: number
  /** Microseconds since 1970; undefined if the record is of an older version, which did not store it. */
  readonly atUs: number | undefined
}

/** The last removed entry, if the record is about what comes before `first`: the hash that `first` holds proves it. */
const lastRemoved = ({ target, details }: StoredRemoval, first: RemovalEvidence['first']): LastRemoved | undefined => {
  const { last_entry: content, last_previous_hash: previousHash } = details
  if (content === undefined) return target === String(first.id - 1) ? { id: first.id - 1, atUs: undefined } : undefined
  if (typeof content !== 'string' || typeof previousHash !== 'string') return undefined
  const hash = createHash('sha256').update(Buffer.from(previousHash, 'hex')).update(content).digest('hex')
  const [, id, atUs] = /^\[(\d+), (\d+), /.exec(content) ?? []
  return hash === first.previousHash && id && atUs ? { id: Number(id), atUs: Number(atUs) } : undefined
}
