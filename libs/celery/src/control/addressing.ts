import { runInNewContext } from 'node:vm'
import type { ControlRequest } from './control-request.js'

/** Longest time that a pattern of a caller is tried on a name, in milliseconds. */
const patternMs = 50

/**
 * Whether a request is meant for the worker of this name: `destination` counts before `pattern`, as in kombu.
 * @throws {Error} when the pattern cannot be read; Celery's workers do not reply then either.
 */
export const isAddressed = (name: string, { destination, pattern, matcher }: ControlRequest): boolean => {
  if (destination.length > 0) return destination.includes(name)
  if (!pattern || !matcher) return true
  if (matcher === 'glob') return matchesGlob(name, pattern)
  if (matcher === 'pcre') return matchesRegularExpression(name, pattern)
  throw new Error('The matcher is neither glob nor pcre.')
}

/** Python's `fnmatch` on POSIX: the whole name, `*`, `?`, `[seq]` and `[!seq]`. It takes at most length x length steps. */
export const matchesGlob = (text: string, pattern: string): boolean => {
  const tokens = globTokens(pattern)
  let [at, token] = [0, 0]
  // Where the last star stands, and up to where it has been tried.
  let [star, starAt] = [-1, 0]
  while (at < text.length) {
    const current = tokens[token]
    if (current === '*') [star, starAt, token] = [token, at, token + 1]
    else if (current?.(text.charAt(at))) [at, token] = [at + 1, token + 1]
    else if (star >= 0) [starAt, at, token] = [starAt + 1, starAt + 1, star + 1]
    else return false
  }
  return tokens.slice(token).every((rest) => rest === '*')
}

type GlobToken = '*' | ((character: string) => boolean)

const globTokens = (pattern: string): readonly GlobToken[] => {
  const tokens: GlobToken[] = []
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern.charAt(at)
    const end = character === '[' ? pattern.indexOf(']', at + (pattern.charAt(at + 1) === '!' ? 3 : 2)) : -1
    if (character === '*') tokens.push('*')
    else if (character === '?') tokens.push(() => true)
    else if (end > 0) {
      tokens.push(oneOf(pattern.slice(at + 1, end)))
      at = end
    } else tokens.push((other) => other === character)
  }
  return tokens
}

const oneOf = (sequence: string): GlobToken => {
  const isInverse = sequence.startsWith('!')
  const members = isInverse ? sequence.slice(1) : sequence
  return (character) => {
    let isMember = false
    for (let at = 0; at < members.length; at += 1) {
      const isRange = members.charAt(at + 1) === '-' && at + 2 < members.length
      const last = members.charAt(isRange ? at + 2 : at)
      isMember ||= character >= members.charAt(at) && character <= last
      if (isRange) at += 2
    }
    return isMember !== isInverse
  }
}

/** Python's `re.match`: from the start of the name. A caller's expression is stopped when it takes long. */
const matchesRegularExpression = (name: string, pattern: string): boolean => {
  const isCaseless = pattern.startsWith('(?i)')
  const source = pattern
    .slice(isCaseless ? 4 : 0)
    .replaceAll('(?P<', '(?<')
    .replaceAll(String.raw`\A`, '^')
    .replaceAll(String.raw`\Z`, '$')
  const flags = isCaseless ? 'iy' : 'y'
  return (
    runInNewContext('new RegExp(source, flags).test(name)', { source, flags, name }, { timeout: patternMs }) === true
  )
}
