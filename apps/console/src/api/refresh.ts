import { useQueryClient } from '@tanstack/react-query'
import { useCallback } from 'react'
import type { paths } from './schema.gen.ts'

/** Reads again, after something was changed, what the page shows of these paths. */
export const useRefresh = (): ((...changed: readonly (keyof paths)[]) => Promise<unknown>) => {
  const queries = useQueryClient()
  return useCallback(
    (...changed) => Promise.all(changed.map((path) => queries.invalidateQueries({ queryKey: ['get', path] }))),
    [queries],
  )
}
