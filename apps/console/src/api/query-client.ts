import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query'
import { problemOf } from './problem.ts'

/** How often a visible page polls for changes, in milliseconds. Hidden tabs do not poll. */
export const livePeriod = { fast: 1_000, slow: 5_000 } as const

/** Codes of a session that is over, against those of a caller who may not do something. */
const isSignedOut = (error: unknown): boolean => problemOf(error).status === 401

/** What was read, for as long as the tab is open; nothing of it is stored. */
export const createQueryClient = (onSignedOut: () => void): QueryClient => {
  const onError = (error: unknown) => {
    if (isSignedOut(error)) onSignedOut()
  }
  return new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        staleTime: 2_000,
        gcTime: 60_000,
        retry: (count, error) => count < 2 && [0, 502, 503, 504].includes(problemOf(error).status),
        // The network of a page on localhost is there even if the browser believes to be offline.
        networkMode: 'always',
      },
      mutations: { retry: false, networkMode: 'always' },
    },
  })
}
