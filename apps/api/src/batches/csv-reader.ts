import type { CsvDialect } from './csv-dialect.js'
import { maxRecordLength, unreadable } from './upload-text.js'

/** One record with the line on which it starts, from 1; or what keeps it from being one. */
export interface CsvRecord {
  readonly line: number
  readonly fields: readonly string[]
  readonly fault?: string
}

/** Where in a record the reader stands; `closed`: after a quote inside quotes, which may be the first of a doubled one. */
type Place = 'open' | 'plain' | 'quoted' | 'closed' | 'ended' | 'faulty'

/**
 * Reads CSV (RFC 4180, with any separator) piece by piece: quotes doubled inside quotes, line breaks inside quotes;
 * blank lines are skipped. A record with a misplaced quote is returned with its fault, and reading continues at the next
 * line. Lines without quotes, nearly all, are split without reading each character; of other lines each character is read
 * once, however the pieces are cut.
 */
export class CsvReader {
  /** Line on which the record starts that is being read. */
  private line: number
  private place: Place = 'open'
  /** Characters of the record that stand in earlier pieces. */
  private length = 0
  private fields: string[] = []
  private field = ''
  private fault: string | undefined
  /** Line ends inside the quotes of the record. */
  private lineEnds = 0
  private isQuoted = false

  constructor(
    private readonly dialect: CsvDialect = { separator: ',', lineEnd: '\n' },
    line = 1,
  ) {
    this.line = line
  }

  /** @throws MemoryGuardError REQUEST_MALFORMED where a record has no end within reach. */
  push(text: string): CsvRecord[] {
    const { separator, lineEnd } = this.dialect
    const records: CsvRecord[] = []
    let position = 0
    while (position < text.length) {
      const end = this.length === 0 ? text.indexOf(lineEnd, position) : -1
      if (end - position > maxRecordLength) throw this.tooLong()
      // Searched for in the line alone: a search through the rest of the text for each line would be quadratic.
      const row = text.slice(position, Math.max(end, position))
      if (end < 0 || row.includes('"')) {
        position = this.read(text, position, records)
        continue
      }
      if (row !== '' && row !== '\r') records.push({ line: this.line, fields: withoutCr(row).split(separator) })
      this.line += 1
      position = end + 1
    }
    return records
  }

  /** The last record, if it has no line end. */
  end(): CsvRecord[] {
    if (this.length === 0) return []
    if (this.place === 'quoted') throw unreadable(this.line, 'The quote that is opened here is never closed.')
    return this.push(this.dialect.lineEnd)
  }

  /** Reads a record, or what there is of it, character by character. @returns where the text after it starts. */
  private read(text: string, start: number, records: CsvRecord[]): number {
    const { separator, lineEnd } = this.dialect
    // What belongs to the field and is not taken yet starts here.
    let from = start
    for (let at = start; at < text.length; at += 1) {
      const char = text[at]
      if (this.place === 'quoted') {
        if (char === lineEnd) this.lineEnds += 1
        if (char !== '"') continue
        this.field += text.slice(from, at)
        this.place = 'closed'
      } else if (char === lineEnd) {
        if (this.place === 'plain') this.field = withoutCr(this.field + text.slice(from, at))
        this.finish(records)
        return at + 1
      } else if (this.place === 'faulty') {
        continue
      } else if (char === separator) {
        if (this.place === 'plain') this.field += text.slice(from, at)
        this.fields.push(this.field)
        this.field = ''
        this.place = 'open'
        from = at + 1
      } else {
        from = this.step(char, at, text) ?? from
      }
    }
    if (this.place === 'plain' || this.place === 'quoted') this.field += text.slice(from)
    this.length += text.length - start
    if (this.length > maxRecordLength) throw this.tooLong()
    return text.length
  }

  /** Takes a character that ends neither field nor record. @returns where the field's text starts anew. */
  private step(char: string | undefined, at: number, text: string): number | undefined {
    if (this.place === 'open') {
      this.place = char === '"' ? 'quoted' : 'plain'
      this.isQuoted ||= char === '"'
      return char === '"' ? at + 1 : at
    }
    if (this.place === 'plain') {
      if (char === '"') this.fail('a quote may stand only around a whole field')
      return undefined
    }
    if (this.place === 'closed' && char === '"') {
      this.field += '"'
      this.place = 'quoted'
      return at + 1
    }
    if (this.place === 'closed' && char === '\r' && (text[at + 1] ?? this.dialect.lineEnd) === this.dialect.lineEnd) {
      this.place = 'ended'
      return undefined
    }
    this.fail('after a closing quote comes a separator or the line end')
    return undefined
  }

  private fail(fault: string): void {
    this.fault = fault
    this.place = 'faulty'
  }

  private finish(records: CsvRecord[]): void {
    const { line, fields, field, fault } = this
    if (fault !== undefined) records.push({ line, fields: [], fault })
    else if (fields.length > 0 || field !== '' || this.isQuoted) records.push({ line, fields: [...fields, field] })
    this.line += 1 + this.lineEnds
    this.place = 'open'
    this.length = 0
    this.fields = []
    this.field = ''
    this.fault = undefined
    this.lineEnds = 0
    this.isQuoted = false
  }

  private tooLong() {
    return unreadable(this.line, `The record is longer than ${maxRecordLength} characters. Is a quote left open?`)
  }
}

const withoutCr = (text: string): string => (text.endsWith('\r') ? text.slice(0, -1) : text)
