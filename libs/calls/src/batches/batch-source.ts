import { createHash } from 'node:crypto'
import type { HealthMetricsRepository } from '#libs/database'
import type { ModelCatalogue, RiskManifest } from '#libs/ml/manifest'
import { Slices } from '#libs/platform'
import { isEntityId, toItem, type RawRow } from './check-row.js'
import { zip, type SlicedList } from './sliced-list.js'

/** People of a batch that is given as a whole: `items`, or `user_ids` with or without `health_metrics_list`. */
export interface BatchPeople {
  readonly items?: SlicedList | undefined
  readonly user_ids?: SlicedList | undefined
  readonly health_metrics_list?: SlicedList | undefined
  /** `name` or `name@version`; default: the service chooses. */
  readonly model?: string | undefined
}

/** Where the rows of a batch come from. It can be read once. */
export interface BatchSource {
  rows(manifest: RiskManifest, catalogue: ModelCatalogue): AsyncIterable<readonly RawRow[]>
  /** Reads to the end without parsing rows. */
  drain(): Promise<void>
  /** Digest of what has been read. */
  digest(): string | Promise<string>
}

export const jsonSource = ({ items, user_ids, health_metrics_list }: BatchPeople): BatchSource => ({
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
