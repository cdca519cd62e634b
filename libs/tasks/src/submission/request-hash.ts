import { createHash } from 'node:crypto'

/**
 * Distinguishes requests under the same idempotency key. A text is hashed as it is, anything else as JSON
 * whatever the order of its members. Hashes are stored: the same request must give the same hash in later versions.
 */
export const requestHash = (request: unknown): string =>
  createHash('sha256')
    .update(typeof request === 'string' ? request : JSON.stringify(request, sortMembers))
    .digest('hex')

const sortMembers = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value
