import { MemoryGuardError } from '#libs/platform'
import { z } from 'zod'
import { faultsOf } from './problem.js'

const idempotencyKey = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[\x21-\x7e]+$/, 'must be visible ASCII without spaces')

/** The key of the `Idempotency-Key` header. @throws MemoryGuardError REQUEST_INVALID */
export const parseIdempotencyKey = (key: string | string[] | undefined): string | undefined => {
  if (key === undefined) return undefined
  const parsed = idempotencyKey.safeParse(key)
  if (parsed.success) return parsed.data
  const faults = faultsOf(parsed.error.issues).map(({ message }) => ({ pointer: 'Idempotency-Key', message }))
  throw new MemoryGuardError('REQUEST_INVALID', 'The Idempotency-Key header is not valid; see `errors`.', { faults })
}
