import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { useState } from 'react'
import { createQueryClient } from './api/query-client.ts'
import { ZoneProvider } from './format/zone.tsx'
import { router } from './router.tsx'
import { SessionGate, useSession } from './session/session.tsx'
import type { StartLink } from './session/start-link.ts'

/** The whole console: what is read from the API, who is signed in, and the pages. */
export const Console = ({ link }: { readonly link: StartLink }) => {
  const [isSignedOut, setSignedOut] = useState(false)
  const [queries] = useState(() => createQueryClient(() => setSignedOut(true)))
  return (
    <QueryClientProvider client={queries}>
      <ZoneProvider>
        <SessionGate linkFailure={link.failure} isSignedOut={isSignedOut} onSignedIn={() => setSignedOut(false)}>
          <Pages isFirstVisit={link.isUsed} />
        </SessionGate>
      </ZoneProvider>
    </QueryClientProvider>
  )
}

const Pages = ({ isFirstVisit }: { readonly isFirstVisit: boolean }) => {
  const { me } = useSession()
  return <RouterProvider router={router} context={{ me, isFirstVisit }} />
}
