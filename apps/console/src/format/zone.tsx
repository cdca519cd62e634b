import { createContext, use, useCallback, useMemo, useState, type ReactNode } from 'react'
import type { Zone } from './times.ts'

interface ZoneChoice {
  readonly zone: Zone
  readonly setZone: (zone: Zone) => void
}

const key = 'memoryguard-zone'
const ZoneContext = createContext<ZoneChoice>({ zone: 'local', setZone: () => undefined })

/** Holds whether times are shown in the zone of the browser or in UTC. */
export const ZoneProvider = ({ children }: { readonly children: ReactNode }) => {
  const [zone, setState] = useState<Zone>(() => (localStorage.getItem(key) === 'utc' ? 'utc' : 'local'))
  const setZone = useCallback((next: Zone) => {
    localStorage.setItem(key, next)
    setState(next)
  }, [])
  const choice = useMemo(() => ({ zone, setZone }), [zone, setZone])
  return <ZoneContext value={choice}>{children}</ZoneContext>
}

export const useZone = (): ZoneChoice => use(ZoneContext)
