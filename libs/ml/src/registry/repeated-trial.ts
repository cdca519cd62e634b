import type { ComputePool, GraphSpec, OutputTensor, OutputTensors } from '../runtime/compute-pool.js'

/** Outputs of a graph for the same rows may differ by this much. */
const tolerance = 1e-5

/** Why a graph that returns other values each time cannot serve. */
export const changingOutputs = 'other values each time: take its random nodes out, such as dropout'

export interface RepeatedTrial {
  readonly tensors: OutputTensors
  /** The first row that got another value the second time. */
  readonly changedRow: number | undefined
}

/** Tries a graph with its rows of warm-up, twice in one run. */
export const tryTwice = async (pool: ComputePool, spec: GraphSpec): Promise<RepeatedTrial> => {
  const { rows, count } = spec.warmUp
  const twice = new Float32Array(2 * rows.length)
  twice.set(rows)
  twice.set(rows, rows.length)
  const tensors = await pool.trial({ ...spec, warmUp: { rows: twice, count: 2 * count } })
  const changed = Object.values(tensors).flatMap((tensor) => changedRowOf(tensor, count) ?? [])
  return { tensors, changedRow: changed.length > 0 ? Math.min(...changed) : undefined }
}

const changedRowOf = ({ data, columns }: OutputTensor, count: number): number | undefined => {
  const length = count * columns
  for (let at = 0; at < length; at += 1) {
    const [first, second] = [data[at] ?? NaN, data[length + at] ?? NaN]
    if (!Object.is(first, second) && !(Math.abs(first - second) <= tolerance)) return Math.floor(at / columns)
  }
  return undefined
}
