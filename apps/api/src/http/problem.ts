import type { InputFault } from '#libs/platform'
import { z } from 'zod'

/** The body of every error answer (RFC 9457). It never holds an input value. */
export const problemSchema = z
  .strictObject({
    type: z.string().describe('URI reference of the kind of problem'),
    title: z.string(),
    status: z.int(),
    code: z.string().describe('Stable code of the kind of problem'),
    detail: z.string(),
    errors: z
      .array(z.strictObject({ pointer: z.string().describe('JSON pointer (RFC 6901)'), message: z.string() }))
      .describe('Every fault of the input'),
    request_id: z.string(),
  })
  .meta({ id: 'Problem' })

export type Problem = z.infer<typeof problemSchema>

/** Pointer of a Zod path. */
export const pointerOf = (path: readonly PropertyKey[]): string =>
  path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

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
    if (keys) return keys.map((key) => ({ pointer: pointerOf([...at, key] as PropertyKey[]), message }))
    return [{ pointer: pointerOf(at as PropertyKey[]), message }]
  })
