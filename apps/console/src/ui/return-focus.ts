import { useEffect, useState } from 'react'

/** What a dialog that is open gives the focus back to: also for one that takes its place. */
let openerOfOpen: HTMLElement | null = null

/** What the focus comes back to: of an entry of a menu, which closes, the button that opened it. */
const returnTargetOf = (focused: Element | null): HTMLElement | null => {
  const opener = focused?.closest('[role="menu"]')?.getAttribute('aria-labelledby')
  const target = opener ? document.getElementById(opener) : focused
  return target instanceof HTMLElement && target !== document.body ? target : null
}

/** For dialogs that are there only while they are open: gives the focus back to what had it. */
export const useReturnFocus = (): void => {
  const [targets] = useState(() => [returnTargetOf(document.activeElement), openerOfOpen])
  useEffect(() => {
    const opener = targets[1] ?? targets[0] ?? null
    openerOfOpen = opener
    return () => {
      if (openerOfOpen === opener) openerOfOpen = null
      // A dialog that took its place, or the page that it led to, has the focus already.
      if (document.activeElement !== null && document.activeElement !== document.body) return
      targets.find((target) => target?.isConnected)?.focus({ preventScroll: true })
    }
  }, [targets])
}
