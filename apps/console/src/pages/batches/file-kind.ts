import { formatBytes } from '../../format/numbers.ts'

/** Most rows of a batch, and most bytes of its file, unpacked. */
export const maxRows = 1_000_000
export const maxFileBytes = 1_073_741_824

/** How a file is to be read. */
export interface FileKind {
  readonly format: 'csv' | 'ndjson'
  readonly isGzip: boolean
}

/** Why a file cannot be a batch: what it is, and what to do. */
export interface FileFault {
  readonly fault: string
}

const otherKinds: readonly (readonly [pattern: RegExp, words: string])[] = [
  [
    /\.(xlsx?|xlsm|xlsb|ods|numbers)$/,
    'This is a workbook. Open it, choose "Save as" and "CSV UTF-8", and take the file that makes.',
  ],
  [
    /\.json$/,
    'This is a JSON file. Write one person on each line, as {"user_id": 1, "health_metrics": {"age": 72}}, and name it .ndjson.',
  ],
  [
    /\.(zip|7z|rar|tar|tgz|bz2|xz|zst)$/,
    'This is an archive. Unpack it and take the CSV file in it; gzip alone is read.',
  ],
  [/\.(pdf|docx?|odt|rtf|png|jpe?g)$/, 'This is a document, not a table. Export the table as CSV.'],
  [/\.(sav|dta|sas7bdat|rds|rdata|parquet|feather)$/, 'This is the file of a statistics program. Export it as CSV.'],
]

const isCsv = /\.(csv|tsv|tab|txt)$/
const isNdjson = /\.(ndjson|jsonl)$/

/** How a file is to be read, by its name and size; or why it cannot be. */
export const kindOf = (name: string, size: number): FileKind | FileFault => {
  const lower = name.toLowerCase()
  const isGzip = lower.endsWith('.gz')
  const unpacked = isGzip ? lower.slice(0, -3) : lower
  const other = otherKinds.find(([pattern]) => pattern.test(unpacked))
  if (other) return { fault: other[1] }
  if (size === 0) return { fault: 'This file is empty. Was it saved before it was written?' }
  if (size > maxFileBytes) {
    return {
      fault: `This file has ${formatBytes(size)}; a batch may have ${formatBytes(maxFileBytes)}. Split it into several files.`,
    }
  }
  if (isCsv.test(unpacked)) return { format: 'csv', isGzip }
  if (isNdjson.test(unpacked)) return { format: 'ndjson', isGzip }
  return {
    fault: 'This kind of file is not known. Take a CSV file (.csv, .tsv) or newline-delimited JSON (.ndjson, .jsonl).',
  }
}

/** What the first bytes of a file say that its name does not; undefined for text. */
export const faultOfBytes = (bytes: Uint8Array): string | undefined => {
  const begins = (...first: readonly number[]) => first.every((byte, index) => bytes[index] === byte)
  if (begins(0x50, 0x4b, 0x03, 0x04))
    return 'This is a workbook or an archive with the name of a table. Save it as CSV.'
  if (begins(0xd0, 0xcf, 0x11, 0xe0)) return 'This is an old Excel workbook with the name of a table. Save it as CSV.'
  if (begins(0x25, 0x50, 0x44, 0x46)) return 'This is a PDF with the name of a table. Export the table as CSV.'
  const isUtf16 = begins(0xff, 0xfe) || begins(0xfe, 0xff)
  if (!isUtf16 && bytes.includes(0)) return 'This is no text. Take a CSV file or newline-delimited JSON.'
  return undefined
}
