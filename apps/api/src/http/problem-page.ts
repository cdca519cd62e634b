import { escapeHtml, htmlPage } from './html.js'
import type { Problem } from './problem.js'

/** The names of what is wrong are the caller's. */
const wrongAddress = 'The address of this page is not valid. Start the sign-in again.'

/**
 * A failed sign-in as a person sees it in a browser. It has no member of the request but its id.
 * @param home Path of the start page.
 */
export const failedSignInPage = ({ detail, errors, request_id: id }: Problem, home: string): string =>
  htmlPage(
    '',
    `<main><h1>You are not signed in</h1><p>${escapeHtml(errors.length > 0 ? wrongAddress : detail)}</p>` +
      `<p><a href="${escapeHtml(home)}">Go to the start page</a> to sign in again, or in another way.</p>` +
      `<p>If this happens again, give your operator the request id <code>${escapeHtml(id)}</code>.</p></main>`,
  )
