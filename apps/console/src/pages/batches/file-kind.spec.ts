import { describe, expect, it } from 'vitest'
import { faultOfBytes, kindOf } from './file-kind.ts'

describe('the kind of a file', () => {
  it.each([
    ['people.csv', { format: 'csv', isGzip: false }],
    ['People.CSV', { format: 'csv', isGzip: false }],
    ['people.tsv', { format: 'csv', isGzip: false }],
    ['people.csv.gz', { format: 'csv', isGzip: true }],
    ['people.ndjson', { format: 'ndjson', isGzip: false }],
    ['people.jsonl.gz', { format: 'ndjson', isGzip: true }],
  ])('of %s', (name, kind) => {
    expect(kindOf(name, 10)).toEqual(kind)
  })

  it.each([
    ['people.xlsx', 10, 'CSV UTF-8'],
    ['people.json', 10, 'on each line'],
    ['people.zip', 10, 'Unpack it'],
    ['people.pdf', 10, 'Export'],
    ['people.sav', 10, 'statistics program'],
    ['people', 10, 'not known'],
    ['people.csv', 0, 'empty'],
    ['people.csv', 1_073_741_825, 'Split it'],
  ])('%s of %i bytes is refused', (name, size, words) => {
    expect(kindOf(name, size)).toEqual({ fault: expect.stringContaining(words) as string })
  })
})

describe('the first bytes of a file', () => {
  const text = (value: string) => new TextEncoder().encode(value)

  it('know a workbook, a PDF and what is no text', () => {
    expect(faultOfBytes(Uint8Array.of(0x50, 0x4b, 3, 4, 20))).toContain('workbook')
    expect(faultOfBytes(Uint8Array.of(0xd0, 0xcf, 0x11, 0xe0))).toContain('Excel')
    expect(faultOfBytes(text('%PDF-1.7'))).toContain('PDF')
    expect(faultOfBytes(Uint8Array.of(1, 0, 2))).toContain('no text')
  })

  it('let text pass, UTF-16 too', () => {
    expect(faultOfBytes(text('user_id,age\n'))).toBeUndefined()
    expect(faultOfBytes(Uint8Array.of(0xff, 0xfe, 0x75, 0))).toBeUndefined()
  })
})
