import { z } from 'zod'
import type { RestClient } from './rest-client.js'

const linkSchema = z.object({ link_token: z.string(), expires_at: z.string() })

/** A link that signs in a browser once. */
export interface ConsoleLink {
  readonly url: string
  readonly expiresAt: string
}

/** How a link is made. */
interface LinkOptions {
  /** Where browsers reach the API. Default: where the client reaches it. */
  readonly publicUrl?: string | undefined
  readonly signal?: AbortSignal
}

/**
 * Makes a link with the key of the client. Its token stands behind `#`, which browsers send to no server, so that neither
 * logs nor proxies see it.
 * @throws {CommandError} as `RestClient.send` does.
 */
export const makeConsoleLink = async (
  client: RestClient,
  { publicUrl = client.url, signal }: LinkOptions = {},
): Promise<ConsoleLink> => {
  const { body } = await client.send({ method: 'POST', path: '/v1/session/link', ...(signal && { signal }) })
  const { link_token: token, expires_at: expiresAt } = linkSchema.parse(body)
  return { url: `${publicUrl}/#start=${token}`, expiresAt }
}

/** Whether the API serves a page for browsers to sign in on. */
export const hasConsole = async (client: RestClient): Promise<boolean> => {
  const response = await fetch(`${client.url}/`, { headers: { accept: 'text/html' } })
  await response.body?.cancel()
  return response.ok && (response.headers.get('content-type') ?? '').startsWith('text/html')
}
