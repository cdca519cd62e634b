import { keepPreviousData } from '@tanstack/react-query'
import { useCallback, useMemo } from 'react'
import { query, type Schemas } from '../../../api/client.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { justAfter } from './just-after.ts'

export type TaskRow = Schemas['TaskSummary'] & {
  /** Whether it has changed so that the search no longer finds it. */
  readonly hasLeft?: boolean
}

/** Rows on a page. */
const pageSize = 50

interface TaskRows {
  readonly rows: readonly TaskRow[] | undefined
  /** Tasks that came since; `50+` if there may be more than a page. */
  readonly newCount: number
  readonly hasMoreNew: boolean
  readonly showNew: () => void
  readonly nextCursor: string | null | undefined
  readonly error: unknown
}

/**
 * One page of search results that does not move: it keeps the rows it had when it was opened and updates them in place.
 * Newer tasks are only counted until the user shows them.
 */
export const useTaskRows = (q: string, cursor: string | undefined): TaskRows => {
  const search = q === '' ? {} : { q }
  const page = query.useQuery(
    'get',
    '/v1/tasks',
    { params: { query: { ...search, ...(cursor !== undefined && { cursor }), limit: pageSize } } },
    {
      staleTime: Infinity,
      // While there is nothing that could move, whatever comes is shown.
      refetchInterval: ({ state }) => (state.data?.items.length === 0 ? livePeriod.fast : false),
    },
  )
  const first = page.data?.items[0]?.id
  const now = query.useQuery(
    'get',
    '/v1/tasks',
    { params: { query: { ...search, cursor: justAfter(first ?? nil), limit: pageSize } } },
    { enabled: first !== undefined, refetchInterval: livePeriod.fast, placeholderData: keepPreviousData },
  )
  const newest = query.useQuery(
    'get',
    '/v1/tasks',
    { params: { query: { ...search, limit: pageSize + 1 } } },
    { enabled: first !== undefined && cursor === undefined, refetchInterval: livePeriod.fast },
  )
  const rows = useMemo(() => {
    const known = new Map(now.data?.items.map((task) => [task.id, task]))
    const isCurrent = now.data !== undefined && !now.isPlaceholderData
    return page.data?.items.map((task): TaskRow => {
      const latest = known.get(task.id)
      return latest ?? (isCurrent ? { ...task, hasLeft: true } : task)
    })
  }, [page.data, now.data, now.isPlaceholderData])
  const newCount =
    cursor === undefined && first !== undefined ? (newest.data?.items.filter(({ id }) => id > first).length ?? 0) : 0
  const { refetch } = page
  const showNew = useCallback(() => void refetch(), [refetch])
  return {
    rows,
    newCount: Math.min(newCount, pageSize),
    hasMoreNew: newCount > pageSize,
    showNew,
    nextCursor: page.data?.next_cursor,
    error: page.error,
  }
}

const nil = '00000000-0000-0000-0000-000000000000'
