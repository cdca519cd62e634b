import { api } from '../api/client.ts'
import { problemOf } from '../api/problem.ts'

/** What a page was opened with. */
export interface StartLink {
  readonly isUsed: boolean
  /** Why the link did not sign in. */
  readonly failure: string | undefined
}

/**
 * Signs in with the one-time token behind `#start=`, if there is one. It leaves the address bar and the history before
 * anything else happens, and is sent once.
 */
export const signInByLink = async (): Promise<StartLink> => {
  const token = /^#start=([\w-]+)$/.exec(location.hash)?.[1]
  if (token === undefined) return { isUsed: false, failure: undefined }
  history.replaceState(null, '', location.pathname + location.search)
  try {
    await api.POST('/v1/session', { body: { link_token: token } })
    return { isUsed: true, failure: undefined }
  } catch (error) {
    const { status, message } = problemOf(error)
    const failure =
      status === 401
        ? 'This link has been used or is older than 10 minutes. Make another with "memoryguard console-link", or sign in with a key.'
        : message
    return { isUsed: false, failure }
  }
}
