import { createHash } from 'node:crypto'
import type { HealthMetricsRepository } from '#libs/database'
import type { ModelCatalogue, RiskManifest } from '#libs/ml/manifest'
import { Slices } from '#libs/platform'
import { zip, type SlicedList } from '../http/sliced-list.js'
import type { BatchRequest } from './batches.schemas.js'
import type { MissingValues } from './cells.js'
import { isEntityId } from './check-row.js'
import { readCsvRows, readNdjsonRows, toItem, type RawRow } from './row-sources.js'
import { readBytes, readFileBytes } from './upload-bytes.js'
import type { Upload } from './upload-parsers.js'
import { readUploadText } from './upload-text.js'

/** Where the rows of a batch come from. It can be read once. */
export interface BatchSource {
  rows(manifest: RiskManifest, catalogue: ModelCatalogue): AsyncIterable<readonly RawRow[]>
  /** Reads to the end without looking at rows. */
  drain(): Promise<void>
  /** Digest of what has been read. */
  digest(): string | Promise<string>
}

export const jsonSource = ({ items, user_ids, health_metrics_list }: BatchRequest): BatchSource => ({
  async *rows() {
    let line = 0
    if (items) {
      for (const piece of items) yield piece.map((item) => toItem((line += 1), item))
    } else if (user_ids && health_metrics_list) {
      for (const pairs of zip(user_ids, health_metrics_list)) {
        yield pairs.map(([userId, metrics]): RawRow => ({ line: (line += 1), userId, metrics }))
      }
    }
  },
  async drain() {
    // It is in memory already.
  },
  digest: () => digestOf(['[', items ?? 'null', ',', user_ids ?? 'null', ',', health_metrics_list ?? 'null', ']']),
})

/** People with the newest of each metric that is recorded of them. */
export const recordedSource = (userIds: SlicedList, measurements: HealthMetricsRepository): BatchSource => ({
  async *rows(manifest) {
    const names = manifest.inputs.map(({ name }) => name)
    let line = 0
    for (const piece of userIds) {
      const latest = await measurements.readLatest(piece.filter(isEntityId), names)
      yield piece.map((userId): RawRow => {
        line += 1
        if (!isEntityId(userId)) return { line, userId, metrics: undefined }
        const metrics = latest.get(userId)
        return metrics ? { line, userId, metrics } : { line, userId, fault: nothingRecorded(manifest.name) }
      })
    }
  },
  async drain() {
    // It is in memory already.
  },
  digest: () => digestOf(['recorded ', userIds]),
})

/** Digest of texts and of the JSON of lists. */
const digestOf = async (parts: readonly (string | SlicedList)[]): Promise<string> => {
  const hash = createHash('sha256')
  const slices = new Slices()
  for (const part of parts) {
    if (typeof part === 'string') {
      hash.update(part)
      continue
    }
    hash.update('[')
    let separator = ''
    for (const piece of part) {
      hash.update(separator + JSON.stringify(piece).slice(1, -1))
      separator = ','
      if (slices.isOver()) await slices.next()
    }
    hash.update(']')
  }
  return hash.digest('hex')
}

const nothingRecorded = (model: string): string =>
  `nothing that ${model} uses is recorded of this person. Send health_metrics_list, or record it with ` +
  'POST /v1/users/{user_id}/health-metrics'

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
