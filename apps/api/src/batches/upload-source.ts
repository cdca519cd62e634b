import { createHash } from 'node:crypto'
import type { BatchSource } from '#libs/calls'
import type { MissingValues } from './cells.js'
import { readCsvRows, readNdjsonRows } from './row-sources.js'
import { readBytes, readFileBytes } from './upload-bytes.js'
import type { Upload } from './upload-parsers.js'
import { readUploadText } from './upload-text.js'

/** The rows of an upload. Its digest is that of the file, however it was packed. */
export const uploadSource = ({ stream, format, charset, isGzip }: Upload, missing: MissingValues): BatchSource => {
  const hash = createHash('sha256').update(`${format} ${charset} ${missing.wish} `)
  const pieces = async function* () {
    for await (const bytes of readFileBytes(readBytes(stream), isGzip)) {
      hash.update(bytes)
      yield bytes
    }
  }
  return {
    rows: (manifest, catalogue) => {
      const text = readUploadText(pieces(), charset)
      return format === 'csv' ? readCsvRows(text, manifest, catalogue, missing) : readNdjsonRows(text, missing)
    },
    async drain() {
      for await (const bytes of pieces()) if (bytes.length === 0) break
    },
    digest: () => hash.copy().digest('hex'),
  }
}
