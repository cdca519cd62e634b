import { Slices } from '#libs/platform'
import type { z } from 'zod'
import { batchPredictions } from '../contracts/batch-predictions.task.js'
import type { TaskContract } from '../contracts/define-task.js'
import { enoughFaults } from '../contracts/long-list.js'

/** People of a batch that are checked at one time. */
const pieceSize = 32

export type CheckedArgs =
  | { readonly data: Record<string, unknown>; readonly issues?: undefined }
  | { readonly issues: readonly z.core.$ZodIssue[]; readonly data?: undefined }

/**
 * Checks arguments against the contract of a task. Those of a batch are checked in slices, between which other requests
 * have their turn.
 */
export const checkArgs = async (contract: TaskContract, given: unknown): Promise<CheckedArgs> => {
  if (contract.name === batchPredictions.name && isLongBatch(given)) return checkBatch(given)
  return checkNow(contract, given)
}

interface LongBatch {
  readonly user_ids: readonly unknown[]
  readonly health_metrics_list?: readonly unknown[]
}

/** Lists that do not fit together are refused by the contract for the first of them. */
const isLongBatch = (given: unknown): given is LongBatch => {
  const { user_ids: ids, health_metrics_list: metrics } = Object(given) as Record<string, unknown>
  if (!Array.isArray(ids) || ids.length <= pieceSize) return false
  return metrics === undefined || (Array.isArray(metrics) && metrics.length === ids.length)
}

const checkNow = (contract: TaskContract, given: unknown): CheckedArgs => {
  const parsed = contract.args.safeParse(given)
  if (!parsed.success) return { issues: parsed.error.issues }
  if (!holdsNul(parsed.data)) return { data: parsed.data }
  // It would fail the calls that are stored along with it.
  const message = 'must not hold the character U+0000'
  return { issues: [{ code: 'custom', path: [], message, input: undefined }] }
}

const checkBatch = async (given: LongBatch): Promise<CheckedArgs> => {
  const { user_ids: ids, health_metrics_list: metrics } = given
  const slices = new Slices()
  const issues: z.core.$ZodIssue[] = []
  const pieces: z.output<typeof batchPredictions.args>[] = []
  for (let start = 0; start < ids.length && issues.length < enoughFaults; start += pieceSize) {
    if (slices.isOver()) await slices.next()
    const end = start + pieceSize
    const piece = {
      ...given,
      user_ids: ids.slice(start, end),
      ...(metrics && { health_metrics_list: metrics.slice(start, end) }),
    }
    const checked = checkNow(batchPredictions, piece)
    if (checked.data) pieces.push(checked.data as z.output<typeof batchPredictions.args>)
    else issues.push(...checked.issues.map((issue) => moved(issue, start)))
    // What else there is than lists is the same in every piece.
    if (issues.some(({ path }) => path.length < 2)) break
  }
  if (issues.length > 0) return { issues }
  return {
    data: {
      ...pieces[0],
      user_ids: pieces.flatMap(({ user_ids }) => user_ids),
      ...(metrics && { health_metrics_list: pieces.flatMap(({ health_metrics_list: list }) => list ?? []) }),
    },
  }
}

/** The fault of an entry with its index in the whole list. */
const moved = (issue: z.core.$ZodIssue, start: number): z.core.$ZodIssue => {
  const [list, index, ...rest] = issue.path
  return list !== undefined && typeof index === 'number' ? { ...issue, path: [list, start + index, ...rest] } : issue
}

/** U+0000 is the one character that PostgreSQL does not store. */
const holdsNul = (value: unknown): boolean =>
  typeof value === 'string'
    ? value.includes('\0')
    : typeof value === 'object' && value !== null && Object.entries(value).flat().some(holdsNul)
