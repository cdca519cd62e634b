import { maxRecordLength, unreadable } from './upload-text.js'

/** How a CSV file is written. */
export interface CsvDialect {
  /** One character. */
  readonly separator: string
  /** The last character of a line end: CR alone only in files that know no LF. */
  readonly lineEnd: '\n' | '\r'
}

/** What the begin of a file says of its dialect. */
export interface FoundDialect extends CsvDialect {
  /** Where the records start: after a `sep=` line. */
  readonly start: number
  /** Line on which they start, from 1. */
  readonly line: number
}

/** In the order of preference if several stand in the header equally often. */
const separators = [',', ';', '\t', '|'] as const

const separatorLine = /^"?sep=([^"])"?$/i

/**
 * Finds out the separator and the line end from the begin of a file: from a `sep=` line as spreadsheets write it, or
 * from the header, in which the separator is what stands most often outside quotes.
 * @returns undefined if more of the file is needed.
 * @throws MemoryGuardError REQUEST_MALFORMED for a header without end.
 */
export const findDialect = (text: string, isWhole: boolean): FoundDialect | undefined => {
  let start = 0
  let line = 1
  for (;;) {
    const end = endOfLine(text, start)
    if (end - start > maxRecordLength) {
      throw unreadable(line, `The header is longer than ${maxRecordLength} characters. Is a quote left open?`)
    }
    // A CR at the very end may be half of a line end.
    if (!isWhole && (end >= text.length || (text[end] === '\r' && end + 1 === text.length))) return undefined
    const content = text.slice(start, end)
    const isCrlf = text[end] === '\r' && text[end + 1] === '\n'
    const lineEnd = text[end] === '\r' && !isCrlf ? '\r' : '\n'
    const next = end + (isCrlf ? 2 : 1)
    if (content.trim() === '' && end < text.length) {
      start = next
      line += 1
      continue
    }
    const named = separatorLine.exec(content)?.[1]
    if (named !== undefined) return { separator: named, lineEnd, start: next, line: line + 1 }
    return { separator: mostFrequent(content), lineEnd, start, line }
  }
}

/** Where the first line end outside quotes is; the length of the text if there is none. */
const endOfLine = (text: string, start: number): number => {
  let isQuoted = false
  for (let at = start; at < text.length; at += 1) {
    const char = text[at]
    if (char === '"') isQuoted = !isQuoted
    else if (!isQuoted && (char === '\n' || char === '\r')) return at
  }
  return text.length
}

const mostFrequent = (header: string): string => {
  const counts = new Map<string, number>(separators.map((separator) => [separator, 0]))
  let isQuoted = false
  for (const char of header) {
    const count = counts.get(char)
    if (char === '"') isQuoted = !isQuoted
    else if (!isQuoted && count !== undefined) counts.set(char, count + 1)
  }
  const [[best] = [',']] = [...counts].sort(([, a], [, b]) => b - a)
  return best
}
