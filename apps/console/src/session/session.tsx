import { useQueryClient, useQuery } from '@tanstack/react-query'
import { createContext, use, useCallback, useMemo, type ReactNode } from 'react'
import { api, type Schemas } from '../api/client.ts'
import { problemOf } from '../api/problem.ts'
import { Failure } from '../ui/failure.tsx'
import { Opening } from '../ui/loading.tsx'
import { SignInDialog } from './sign-in-dialog.tsx'
import { SignInPage } from './sign-in-page.tsx'

export type Me = Schemas['Me']
export type Role = Me['role']

interface SessionValue {
  readonly me: Me
  /** Whether the caller has the rights of this role. The API decides; a page only leaves out what it would refuse. */
  readonly may: (role: Role) => boolean
  readonly signOut: () => Promise<void>
}

const SessionContext = createContext<SessionValue | undefined>(undefined)

/** Key of who is signed in. */
const meKey = ['me'] as const

/** Who is signed in. Only below a `SessionGate`. */
export const useSession = (): SessionValue => {
  const value = use(SessionContext)
  if (!value) throw new Error('useSession stands outside of a SessionGate')
  return value
}

interface GateProps {
  /** Why a one-time link did not sign in, if the page was opened with one. */
  readonly linkFailure: string | undefined
  /** Whether a session that there was has ended: a dialog then asks to sign in, over the page as it is. */
  readonly isSignedOut: boolean
  readonly onSignedIn: () => void
  readonly children: ReactNode
}

/** Shows the sign-in until somebody is signed in. A session that ends later leaves the page, and what was typed, as it is. */
export const SessionGate = ({ linkFailure, isSignedOut, onSignedIn, children }: GateProps) => {
  const queries = useQueryClient()
  const {
    data: me,
    error,
    refetch,
    isPending,
  } = useQuery({
    queryKey: meKey,
    queryFn: async ({ signal }) => (await api.GET('/v1/me', { signal })).data,
    staleTime: Infinity,
    gcTime: Infinity,
    retry: false,
  })
  const signOut = useCallback(async () => {
    await api.DELETE('/v1/session')
    queries.clear()
    // The next person at this browser starts from nothing.
    location.assign(document.baseURI)
  }, [queries])
  const value = useMemo<SessionValue | undefined>(
    () => me && { me, may: (role) => me.roles.includes(role), signOut },
    [me, signOut],
  )
  const afterSignIn = useCallback(async () => {
    const before = me?.id
    const { data: now } = await refetch()
    // Another person's page must not be left open for the one who has signed in.
    if (before !== undefined && now && now.id !== before) return location.assign(document.baseURI)
    onSignedIn()
    await queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey !== meKey })
  }, [me, refetch, onSignedIn, queries])

  if (value) {
    return (
      <SessionContext value={value}>
        {children}
        {isSignedOut && <SignInDialog onSignedIn={afterSignIn} />}
      </SessionContext>
    )
  }
  if (isPending) return <Opening />
  if (error && problemOf(error).status !== 401) return <Failure error={error} onRetry={() => void refetch()} />
  return <SignInPage linkFailure={linkFailure} onSignedIn={afterSignIn} />
}
