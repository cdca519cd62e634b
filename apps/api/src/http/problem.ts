import type { InputFault } from '#libs/platform'
import { z } from 'zod'

/** Maximum number of faults in a response. */
const maxFaults = 50
/** Most characters of a pointer, of a message of a fault, and of the detail. */
const maxPointer = 512
const maxMessage = 2_048
const maxDetail = 2_048

/** The body of every error response (RFC 9457). It never holds an input value. */
export const problemSchema = z
  .strictObject({
    type: z.string().describe('URI reference of the kind of problem'),
    title: z.string(),
    status: z.int(),
    code: z.string().describe('Stable code of the kind of problem'),
    detail: z.string(),
    errors: z
      .array(z.strictObject({ pointer: z.string().describe('JSON pointer (RFC 6901)'), message: z.string() }))
      .describe(`Every fault of the input; the first ${maxFaults} if there are more, and how many more`),
    request_id: z.string(),
  })
  .meta({ id: 'Problem' })

export type Problem = z.infer<typeof problemSchema>

/** The first faults, and how many more there are. */
export const shownFaults = (faults: readonly InputFault[]): Problem['errors'] => {
  const shown = faults
    .slice(0, maxFaults)
    .map(({ pointer, message }) => ({ pointer: cut(pointer, maxPointer), message: cut(message, maxMessage) }))
  const more = faults.length - shown.length
  return more > 0 ? [...shown, { pointer: '', message: `and ${more} more faults` }] : shown
}

/** The detail for the response. */
export const shownDetail = (detail: string): string => cut(detail, maxDetail)

/** Text of which a part may be the caller's, of any length. */
const cut = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length - 1)}…` : text)

/** Most characters of a name in a pointer: a name is the caller's, of any length. */
const maxName = 128

/** Pointer of a Zod path. A name that is longer than any that is known is cut. */
export const pointerOf = (path: readonly PropertyKey[]): string =>
  path.map((key) => `/${String(key).slice(0, maxName).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

/** What a validation of Zod says beyond the standard: which members are not known. */
interface Issue {
  readonly message: string
  readonly path?: readonly unknown[] | undefined
  readonly keys?: readonly string[]
}

/** Faults of a validation, in words that say what is accepted; each unknown member is a fault of its own. */
export const faultsOf = (issues: readonly Issue[]): InputFault[] =>
  issues.flatMap(({ message, path = [], keys }) => {
    const at = path.map((part) => (typeof part === 'object' && part !== null && 'key' in part ? part.key : part))
    if (!keys) return [{ pointer: pointerOf(at as PropertyKey[]), message }]
    return keys.map((key) => ({ pointer: pointerOf([...at, key] as PropertyKey[]), message }))
  })
