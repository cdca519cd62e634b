import { useState, type KeyboardEvent } from 'react'

const steps: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }

/** Reads the points of a chart one by one: with the arrow keys, or where the pointer is. */
export const useReading = (count: number) => {
  const [at, setAt] = useState<number>()
  const onKeyDown = (event: KeyboardEvent) => {
    const step = steps[event.key]
    const edge = event.key === 'Home' ? 0 : event.key === 'End' ? count - 1 : undefined
    if ((step === undefined && edge === undefined) || count === 0) return
    event.preventDefault()
    setAt((now) => edge ?? (now === undefined ? count - 1 : Math.min(Math.max(now + (step ?? 0), 0), count - 1)))
  }
  return {
    /** The point that is read; undefined while none is. */
    at: at !== undefined && at < count ? at : undefined,
    setAt,
    keys: { tabIndex: 0, onKeyDown, onBlur: () => setAt(undefined) },
  }
}
