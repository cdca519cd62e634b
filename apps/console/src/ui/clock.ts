import { useSyncExternalStore } from 'react'

const listeners = new Set<() => void>()
let now = Date.now()
let timer: ReturnType<typeof setInterval> | undefined

/** One timer for every age on the page, so that they change together, once a second. */
const subscribe = (listener: () => void) => {
  listeners.add(listener)
  now = Date.now()
  timer ??= setInterval(() => {
    now = Date.now()
    for (const each of listeners) each()
  }, 1_000)
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
}

const never = () => () => undefined

/** The time, in milliseconds since 1970; changes once a second if `isRunning`. */
export const useClock = (isRunning = true): number => useSyncExternalStore(isRunning ? subscribe : never, () => now)
