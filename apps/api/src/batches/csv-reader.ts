import { maxRecordLength, unreadable } from './upload-text.js'

/** One record with the line on which it starts, from 1; or what keeps it from being one. */
export interface CsvRecord {
  readonly line: number
  readonly fields: readonly string[]
  readonly fault?: string
}

const openQuote = 'The quote that is opened here is never closed.'

/**
 * Reads CSV (RFC 4180) piece by piece: commas, quotes doubled inside quotes, line ends LF or CRLF, line breaks inside
 * quotes; blank lines are passed over. A record with a misplaced quote is given with its fault, and reading goes on
 * at the next line. Lines without quotes, which are nearly all, are split without looking at each character.
 */
export class CsvReader {
  private rest = ''
  private line = 1

  /** @throws MemoryGuardError REQUEST_MALFORMED where a record has no end within reach. */
  push(text: string): CsvRecord[] {
    return this.read(this.rest + text, false)
  }

  /** The last record, if it has no line end. */
  end(): CsvRecord[] {
    return this.rest === '' ? [] : this.read(`${this.rest}\n`, true)
  }

  private read(text: string, isEnd: boolean): CsvRecord[] {
    const records: CsvRecord[] = []
    let position = 0
    let quote = text.indexOf('"')
    for (;;) {
      const lineEnd = text.indexOf('\n', position)
      if (lineEnd < 0) break
      if (quote >= 0 && quote < position) quote = text.indexOf('"', position)
      if (quote < 0 || quote > lineEnd) {
        const row = text.slice(position, lineEnd > position && text[lineEnd - 1] === '\r' ? lineEnd - 1 : lineEnd)
        if (row !== '') records.push({ line: this.line, fields: row.split(',') })
        this.line += 1
        position = lineEnd + 1
        continue
      }
      const found = readQuoted(text, position)
      if (!found) {
        if (isEnd) throw unreadable(this.line, openQuote)
        break
      }
      records.push({ line: this.line, fields: found.fields, ...(found.fault && { fault: found.fault }) })
      this.line += countLines(text, position, found.end)
      position = found.end
    }
    this.rest = text.slice(position)
    if (this.rest.length > maxRecordLength) {
      throw unreadable(this.line, `The record is longer than ${maxRecordLength} characters. Is a quote left open?`)
    }
    return records
  }
}

interface QuotedRecord {
  readonly fields: string[]
  /** Where the next record starts. */
  readonly end: number
  readonly fault?: string
}

/** A record that holds quotes; nothing if its end is not in the text. */
const readQuoted = (text: string, start: number): QuotedRecord | undefined => {
  const fields: string[] = []
  let position = start
  for (;;) {
    let field = ''
    if (text[position] === '"') {
      position += 1
      for (;;) {
        const close = text.indexOf('"', position)
        if (close < 0) return undefined
        field += text.slice(position, close)
        position = close + 1
        if (text[position] !== '"') break
        field += '"'
        position += 1
      }
      if (text[position] === '\r') position += 1
    } else {
      const stop = endOfField(text, position)
      if (stop < 0) return undefined
      field = text.slice(position, stop)
      if (field.includes('"')) return faulty(text, position, 'a quote may stand only around a whole field')
      position = stop
      if (text[position] === '\n' && field.endsWith('\r')) field = field.slice(0, -1)
    }
    fields.push(field)
    const next = text[position]
    if (next === undefined) return undefined
    if (next !== ',' && next !== '\n')
      return faulty(text, position, 'after a closing quote comes a comma or the line end')
    position += 1
    if (next === '\n') return { fields, end: position }
  }
}

const endOfField = (text: string, position: number): number => {
  const lineEnd = text.indexOf('\n', position)
  const comma = text.indexOf(',', position)
  return comma >= 0 && (lineEnd < 0 || comma < lineEnd) ? comma : lineEnd
}

const faulty = (text: string, position: number, fault: string): QuotedRecord | undefined => {
  const lineEnd = text.indexOf('\n', position)
  return lineEnd < 0 ? undefined : { fields: [], end: lineEnd + 1, fault }
}

const countLines = (text: string, start: number, end: number): number => {
  let lines = 0
  for (let at = text.indexOf('\n', start); at >= 0 && at < end; at = text.indexOf('\n', at + 1)) lines += 1
  return lines
}
