import { MemoryGuardError } from '#libs/platform'

/** Deepest nesting of a JSON body: many times what any route takes, and far from what fills the stack. */
export const maxDepth = 100

export const tooDeep = (): MemoryGuardError =>
  new MemoryGuardError('REQUEST_MALFORMED', `The body is nested deeper than ${maxDepth} levels.`)

const [quote, backslash, openBracket, closeBracket, openBrace, closeBrace, comma] = [34, 92, 91, 93, 123, 125, 44]

/**
 * Where the JSON value ends that starts at `from`: at the comma or the closing bracket behind it, or at the end of the
 * text. What is no JSON is for its parser to refuse.
 * @param outerDepth Brackets that are open around the value.
 * @param maxLength Searches no further than this many characters.
 * @returns Undefined if it is nested too deep.
 */
export const endOfValue = (
  text: string,
  from = 0,
  outerDepth = 0,
  maxLength = Number.POSITIVE_INFINITY,
): number | undefined => {
  let depth = outerDepth
  let isInText = false
  const last = Math.min(text.length, from + maxLength)
  for (let index = from; index < last; index += 1) {
    const code = text.charCodeAt(index)
    if (isInText) {
      if (code === backslash) index += 1
      else if (code === quote) isInText = false
    } else if (code === quote) {
      isInText = true
    } else if (code === openBracket || code === openBrace) {
      depth += 1
      if (depth > maxDepth) return undefined
    } else if (code === closeBracket || code === closeBrace) {
      if (depth === outerDepth) return index
      depth -= 1
    } else if (code === comma && depth === outerDepth) {
      return index
    }
  }
  return last
}
