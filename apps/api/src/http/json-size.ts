import { MemoryGuardError } from '#libs/platform'
import { maxDepth, tooDeep } from './json-values.js'

/** Most values of a body: twice what the largest list of a route needs. To refuse a value takes up to 30 microseconds. */
const maxValues = 2_000
/** Most values of a body with long lists, which is parsed at once, at about 0.25 microseconds a value. */
const maxLongValues = 150_000
/** Most members of one object where a body has long lists. */
const maxMembers = 2_000

const [quote, backslash, openBracket, closeBracket, openBrace, closeBrace, comma] = [34, 92, 91, 93, 123, 125, 44]

export interface JsonSize {
  /** Lists, objects, and what stands behind a comma: about as many as there are values. */
  readonly values: number
  /** Of the object with the most members. */
  readonly members: number
  /** Of the deepest nesting. */
  readonly depth: number
}

/**
 * Counts what JSON text holds without parsing it, in time linear in its length, up to nesting that is too deep. What is not
 * JSON is for its parser to reject.
 * @param enough Counts no further than to more values than this.
 */
export const measureJson = (text: string, enough = Number.POSITIVE_INFINITY): JsonSize => {
  let [values, members, depth, deepest] = [1, 0, 0, 0]
  const counts: number[] = []
  for (let index = 0; index < text.length && values <= enough && deepest <= maxDepth; index += 1) {
    const code = text.charCodeAt(index)
    if (code === quote) {
      for (index += 1; index < text.length; index += 1) {
        const inner = text.charCodeAt(index)
        if (inner === backslash) index += 1
        else if (inner === quote) break
      }
    } else if (code === openBrace || code === openBracket) {
      values += 1
      depth += 1
      if (depth > deepest) deepest = depth
      // A list has no members to count.
      counts[depth] = code === openBrace ? 1 : Number.NEGATIVE_INFINITY
    } else if (code === closeBrace || code === closeBracket) {
      depth = Math.max(0, depth - 1)
    } else if (code === comma) {
      values += 1
      const count = (counts[depth] ?? 0) + 1
      counts[depth] = count
      if (count > members) members = count
    }
  }
  return { values, members, depth: deepest }
}

/**
 * Parses a body, unless it is nested too deep or would keep other requests waiting while it is checked.
 * @param hasLongLists Whether the parsed body is one whose lists are checked in slices; undefined if none of the route is.
 * @throws {MemoryGuardError} REQUEST_MALFORMED if it is nested too deep, REQUEST_TOO_LARGE.
 */
export const parseBounded = <Body>(
  text: string,
  parse: (text: string) => Body,
  hasLongLists: ((body: Body) => boolean) | undefined,
): Body => {
  // Each bracket needs a character to be closed again.
  if (text.length <= 2 * maxDepth) return parse(text)
  const { values, members, depth } = measureJson(text, hasLongLists ? maxLongValues : maxValues)
  if (depth > maxDepth) throw tooDeep()
  if (values <= maxValues) return parse(text)
  if (!hasLongLists || values > maxLongValues || members > maxMembers) throw tooMany(hasLongLists !== undefined)
  const body = parse(text)
  if (!hasLongLists(body)) throw tooMany(true)
  return body
}

const tooMany = (mayHaveLongLists: boolean): MemoryGuardError => {
  const [most, mostInLists] = [maxValues, maxLongValues].map((limit) => limit.toLocaleString('en'))
  const limits = mayHaveLongLists ? `${most} values, or ${mostInLists} in the lists of a batch` : `${most} values`
  return new MemoryGuardError(
    'REQUEST_TOO_LARGE',
    `The body may hold at most ${limits}. Send less at once, and many people with POST /v1/batches.`,
  )
}
