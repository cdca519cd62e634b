import { z } from 'zod'
import { escapeHtml, htmlPage } from '../../http/html.js'

/** Longest path, in characters. */
const maxPath = 512

/** A host that no path of ours leads to. */
const elsewhere = 'http://nowhere.invalid'

/** Whether a browser takes the text for a path of the same server: `//host` and `/\host` lead to others. */
const isLocalPath = (text: string): boolean =>
  /^\/(?![/\\])[\x21-\x7e]*$/.test(text) && !text.includes('\\') && new URL(text, elsewhere).origin === elsewhere

/** A path of this server, with a query and a fragment if there are any. */
export const localPath = z
  .string()
  .max(maxPath)
  .refine(isLocalPath, { error: 'must be a path of this server, such as /tasks?state=failed' })

/**
 * A page that goes on to another one. A redirect would not do: a cookie that is for this site alone is not sent when the
 * chain of redirects began at another one, the issuer.
 */
export const continuationPage = (path: string): string => {
  const target = escapeHtml(path)
  return htmlPage(
    `<meta http-equiv="refresh" content="0; url=${target}">`,
    `<p>You are signed in. <a href="${target}">Continue</a></p>`,
  )
}
