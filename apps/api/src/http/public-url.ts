import { compile } from '@fastify/proxy-addr'
import { withoutEndingSlashes, type Config } from '#libs/platform'
import type { FastifyRequest } from 'fastify'

/** Path segments, without anything that a browser would take for another host. */
const prefixForm = /^(?:\/[\w~-][\w.~-]*)+$/

/** Whether the process at an address is a proxy that is believed. */
export const trustOf = ({ trustedProxies }: Config['http']): ((address: string) => boolean) | undefined => {
  if (trustedProxies.length === 0) return undefined
  const isTrusted = compile([...trustedProxies])
  return (address) => isTrusted(address, 0)
}

/** Where callers find the API, which is known from `PUBLIC_URL` or from a trusted proxy that names its path prefix. */
export class PublicUrl {
  private readonly isTrusted: ((address: string) => boolean) | undefined

  constructor(private readonly http: Config['http']) {
    this.isTrusted = trustOf(http)
  }

  /** Origin of `PUBLIC_URL`; empty without it. */
  get origin(): string {
    return this.http.publicUrl === undefined ? '' : new URL(this.http.publicUrl).origin
  }

  /** Path prefix of `PUBLIC_URL`, without a slash at its end. */
  get path(): string {
    return this.http.publicUrl === undefined ? '' : withoutEndingSlashes(new URL(this.http.publicUrl).pathname)
  }

  /** What stands before the paths of the routes, without a slash at its end: a URL, a path prefix or nothing. */
  baseOf({ headers, raw }: FastifyRequest): string {
    if (this.http.publicUrl !== undefined) return this.http.publicUrl
    const prefix = this.isTrusted ? headers['x-forwarded-prefix'] : undefined
    if (typeof prefix !== 'string' || !this.isTrusted?.(raw.socket.remoteAddress ?? '')) return ''
    const path = withoutEndingSlashes(prefix.trim())
    return prefixForm.test(path) ? path : ''
  }
}
