import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CsvReader, type CsvRecord } from './csv-reader.js'
import { maxRecordLength } from './upload-text.js'

const readAll = (...pieces: readonly string[]): CsvRecord[] => {
  const reader = new CsvReader()
  return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()]
}

const quoted = (field: string): string => `"${field.replaceAll('"', '""')}"`

describe('CSV reader', () => {
  it('gives the fields of each record with its line, whatever the line end', () => {
    expect(readAll('a,b\r\n1,\n\n,2')).toEqual([
      { line: 1, fields: ['a', 'b'] },
      { line: 2, fields: ['1', ''] },
      { line: 4, fields: ['', '2'] },
    ])
  })

  it('reads commas, quotes and line breaks inside quotes, and counts the lines they take', () => {
    expect(readAll('"a, b","say ""x"""\r\n"two\nlines",c\nd,e\n')).toEqual([
      { line: 1, fields: ['a, b', 'say "x"'] },
      { line: 2, fields: ['two\nlines', 'c'] },
      { line: 4, fields: ['d', 'e'] },
    ])
  })

  it('gives a record with a misplaced quote as faulty and goes on at the next line', () => {
    expect(readAll('a,b"c\n"d"e,f\n1,2\n')).toEqual([
      { line: 1, fields: [], fault: 'a quote may stand only around a whole field' },
      { line: 2, fields: [], fault: 'after a closing quote comes a separator or the line end' },
      { line: 3, fields: ['1', '2'] },
    ])
  })

  it('refuses a quote that is never closed, and names its line', () => {
    expect(() => readAll('a,b\n1,"2\n3,4\n')).toThrow('Line 2: The quote that is opened here is never closed.')
  })

  it('refuses a record without end before it fills the memory', () => {
    const reader = new CsvReader()
    expect(reader.push('a\n"')).toHaveLength(1)
    expect(() => reader.push('x'.repeat(maxRecordLength))).toThrow('Line 2: The record is longer than')
  })

  it('D6: reads any separator, and CR line ends', () => {
    const reader = new CsvReader({ separator: ';', lineEnd: '\r' }, 2)
    expect([...reader.push('1;"a;\rb";2\r\r3;;'), ...reader.end()]).toEqual([
      { line: 2, fields: ['1', 'a;\rb', '2'] },
      { line: 5, fields: ['3', '', ''] },
    ])
  })

  it('reads back whatever was written, however it is cut into pieces', () => {
    const field = fc.string({
      unit: fc.constantFrom('a', '1', '"', ',', ';', '\n', '\r', ' ', 'é', '😀'),
      maxLength: 6,
    })
    // A record of one empty field is a blank line, which is passed over.
    const record = fc.array(field, { minLength: 2, maxLength: 4 })
    const separator = fc.constantFrom(',', ';', '\t')
    const lineEnd = fc.constantFrom('\n', '\r\n', '\r')
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 8 }),
        fc.array(fc.nat(60)),
        separator,
        lineEnd,
        (records, cuts, by, end) => {
          const needsQuotes = (text: string) => /["\r\n]/.test(text) || text.includes(by)
          const text = records
            .map((fields) => fields.map((one) => (needsQuotes(one) ? quoted(one) : one)).join(by))
            .join(end)
          const edges = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length]
          const pieces = edges.slice(1).map((edge, index) => text.slice(edges[index], edge))
          const reader = new CsvReader({ separator: by, lineEnd: end === '\r' ? '\r' : '\n' })
          const read = [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()]
          expect(read.map(({ fields }) => fields)).toEqual(records)
        },
      ),
    )
  })

  it('A3: reads each character of a hostile record once, however small the pieces', () => {
    const record = `"${'""'.repeat(1_000)}"${',"x"'.repeat(15_000)}\n`
    const read = (size: number) => {
      const reader = new CsvReader()
      const start = process.cpuUsage()
      let count = 0
      for (let at = 0; at < record.length; at += size) count += reader.push(record.slice(at, at + size)).length
      expect(count).toBe(1)
      return process.cpuUsage(start).user / 1000
    }
    read(65_536)
    // Milliseconds of the processor, for the machine may be busy. Quadratic reading took seconds.
    expect(read(65_536)).toBeLessThan(500)
    expect(read(1)).toBeLessThan(1_000)
  })
})
