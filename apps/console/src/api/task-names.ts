import { query } from './client.ts'

/** Names of the tasks that the workers run, in alphabetical order; empty until they are known. */
export const useTaskNames = (): readonly string[] => {
  const { data } = query.useQuery('get', '/v1/workers', {}, { staleTime: 60_000 })
  return [...new Set(data?.items.flatMap(({ tasks }) => tasks))].sort()
}
