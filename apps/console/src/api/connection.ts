import { useSyncExternalStore } from 'react'

/** Since when the server has not responded, in milliseconds since 1970; undefined while it does. */
let lostSince: number | undefined
const listeners = new Set<() => void>()

const set = (value: number | undefined): void => {
  if ((value === undefined) === (lostSince === undefined)) return
  lostSince = value
  for (const listener of listeners) listener()
}

export const reportResponse = (): void => set(undefined)
export const reportSilence = (): void => set(Date.now())

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Since when the server has not responded; undefined while it does. */
export const useLostSince = (): number | undefined => useSyncExternalStore(subscribe, () => lostSince)
