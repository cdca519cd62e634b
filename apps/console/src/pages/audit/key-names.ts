import { query } from '../../api/client.ts'

/** Names of the API keys by their ids, for administrators. */
export const useKeyNames = (): ReadonlyMap<string, string> => {
  const { data } = query.useQuery('get', '/v1/api-keys', {}, { staleTime: 30_000 })
  return new Map(data?.items.map(({ id, name }) => [id, name]))
}
