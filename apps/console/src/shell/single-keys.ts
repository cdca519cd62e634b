import { useSyncExternalStore } from 'react'

const key = 'memoryguard-single-keys'
const listeners = new Set<() => void>()
const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
const areOn = (): boolean => localStorage.getItem(key) !== 'off'

/** Whether single keys such as `?` do something; speech input may type them by accident. */
export const useSingleKeys = () => ({
  areOn: useSyncExternalStore(subscribe, areOn),
  setOn: (on: boolean) => {
    localStorage.setItem(key, on ? 'on' : 'off')
    for (const listener of listeners) listener()
  },
})

/** Whether a key press is meant for what has the focus. */
export const isTyping = ({ target }: KeyboardEvent): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
