import { createHash } from 'node:crypto'
import type { HealthMetricsRepository } from '#libs/database'
import type { ModelCatalogue, RiskManifest } from '#libs/ml/manifest'
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
  digest(): string
}

export const jsonSource = ({ items, user_ids, health_metrics_list }: BatchRequest): BatchSource => ({
  async *rows() {
    if (items) yield items.map((item, index) => toItem(index + 1, item))
    else {
      yield (user_ids ?? []).map((userId, index) => ({
        line: index + 1,
        userId,
        metrics: health_metrics_list?.[index],
      }))
    }
  },
  async drain() {
    // It is in memory already.
  },
  digest: () =>
    createHash('sha256')
      .update(JSON.stringify([items, user_ids, health_metrics_list]))
      .digest('hex'),
})

/** People whose recorded measurements are read at one time. */
const peopleAtOnce = 1_000

/** People with the newest of each metric that is recorded of them. */
export const recordedSource = (userIds: readonly unknown[], measurements: HealthMetricsRepository): BatchSource => ({
  async *rows(manifest) {
    const names = manifest.inputs.map(({ name }) => name)
    for (let start = 0; start < userIds.length; start += peopleAtOnce) {
      const page = userIds.slice(start, start + peopleAtOnce)
      const latest = await measurements.readLatest(page.filter(isEntityId), names)
      yield page.map((userId, index): RawRow => {
        const line = start + index + 1
        if (!isEntityId(userId)) return { line, userId, metrics: undefined }
        const metrics = latest.get(userId)
        return metrics ? { line, userId, metrics } : { line, userId, fault: nothingRecorded(manifest.name) }
      })
    }
  },
  async drain() {
    // It is in memory already.
  },
  digest: () =>
    createHash('sha256')
      .update(`recorded ${JSON.stringify(userIds)}`)
      .digest('hex'),
})

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
