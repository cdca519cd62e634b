import { isIP } from 'node:net'
import { CONFIG, MemoryGuardError, type Config } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isUnsafe } from '../../http/unsafe-methods.js'
import { cookieText, readCookie } from './cookies.js'

/** Name of the cookie of a session; on https it has a prefix that ties it to this host and to https. */
const sessionCookie = 'mg'
const hostPrefix = '__Host-'

/** Media types that a form of any page can send. */
const formTypes = /^\s*(?:application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)\b/i

/** How a cookie is given to a browser. */
interface CookieOptions {
  readonly maxAgeSeconds: number
  /** `Lax`: it is sent when another site, such as an OIDC issuer, leads the browser here. Default `Strict`. */
  readonly sameSite?: 'Strict' | 'Lax'
}

/**
 * What is particular about requests of browsers: cookies, which a browser adds by itself, whoever has made the page. So
 * the name of the server and the origin of the page are checked; see docs/decisions/0015-sessions-of-browsers.md.
 */
@Injectable()
export class BrowserRequests {
  private readonly publicUrl: URL | undefined
  private readonly hosts: ReadonlySet<string>

  constructor(@Inject(CONFIG) { http }: Config) {
    this.publicUrl = http.publicUrl === undefined ? undefined : new URL(http.publicUrl)
    const own = this.publicUrl ? [this.publicUrl.hostname] : []
    this.hosts = new Set([http.host.toLowerCase(), ...own, ...http.allowedHosts])
  }

  /** What the cookie of a session holds. */
  sessionSecretOf(request: FastifyRequest): string | undefined {
    return this.read(request, sessionCookie)
  }

  /** A cookie that was set with `set`. */
  read(request: FastifyRequest, name: string): string | undefined {
    return readCookie(request.headers.cookie, this.fullName(request, name))
  }

  setSession(request: FastifyRequest, reply: FastifyReply, secret: string, maxAgeSeconds: number): void {
    this.set(request, reply, sessionCookie, secret, { maxAgeSeconds })
  }

  clearSession(request: FastifyRequest, reply: FastifyReply): void {
    this.set(request, reply, sessionCookie, '', { maxAgeSeconds: 0 })
  }

  set(
    request: FastifyRequest,
    reply: FastifyReply,
    name: string,
    value: string,
    { maxAgeSeconds, sameSite = 'Strict' }: CookieOptions,
  ): void {
    const isSecure = this.isSecure(request)
    void reply.header(
      'set-cookie',
      cookieText({ name: this.fullName(request, name), value, maxAgeSeconds, sameSite, isSecure }),
    )
  }

  /**
   * Checks a request whose cookie signs it in.
   * @throws {MemoryGuardError} ACCESS_HOST_REJECTED; ACCESS_SITE_REJECTED or REQUEST_MEDIA_TYPE_UNSUPPORTED for a request
   * that may change something and that another site can have made.
   */
  mustBeOwn(request: FastifyRequest): void {
    this.mustKnowHost(request)
    if (isUnsafe(request.method)) this.mustBeSameOrigin(request)
  }

  /**
   * Checks that the browser knows the server by one of its names: a page whose name leads to this server by a trick
   * (DNS rebinding) has another.
   * @throws {MemoryGuardError} ACCESS_HOST_REJECTED
   */
  mustKnowHost(request: FastifyRequest): void {
    const host = hostnameOf(request)
    if (host !== undefined && (isLoopback(host) || isAddress(host) || this.hosts.has(host))) return
    throw new MemoryGuardError(
      'ACCESS_HOST_REJECTED',
      'Browsers may not sign in under this host name. Its operator can add it with ALLOWED_HOSTS or PUBLIC_URL.',
    )
  }

  /**
   * Checks that a cookie may be set: others on the way would read it on plain http.
   * @throws {MemoryGuardError} ACCESS_HOST_REJECTED
   */
  mustKeepCookies(request: FastifyRequest): void {
    if (this.publicUrl || this.isSecure(request) || isLoopback(hostnameOf(request) ?? '')) return
    throw new MemoryGuardError(
      'ACCESS_HOST_REJECTED',
      'Sign in over https, or under a loopback address. Its operator can name the URL of browsers with PUBLIC_URL.',
    )
  }

  /** @throws {MemoryGuardError} ACCESS_SITE_REJECTED, REQUEST_MEDIA_TYPE_UNSUPPORTED */
  mustBeSameOrigin(request: FastifyRequest): void {
    if (!this.isSameOrigin(request)) {
      throw new MemoryGuardError(
        'ACCESS_SITE_REJECTED',
        'A request that a browser signs in must come from a page of this server. Programs send an API key instead.',
      )
    }
    if (formTypes.test(request.headers['content-type'] ?? '')) {
      throw new MemoryGuardError('REQUEST_MEDIA_TYPE_UNSUPPORTED', 'Forms are not accepted: send JSON.')
    }
  }

  /** Browsers say it themselves over https and on loopback addresses; elsewhere and before 2023 they only name the origin. */
  private isSameOrigin(request: FastifyRequest): boolean {
    const { 'sec-fetch-site': site, origin } = request.headers
    if (site !== undefined) return site === 'same-origin'
    if (origin === undefined) return false
    return (
      origin === (this.publicUrl?.origin ?? `${request.protocol}://${request.host}`) || this.isLocal(request, origin)
    )
  }

  /** A page of this server under a loopback address, also where `PUBLIC_URL` has another. */
  private isLocal(request: FastifyRequest, origin: string): boolean {
    return isLoopback(hostnameOf(request) ?? '') && origin === `${request.protocol}://${request.host}`
  }

  private isSecure(request: FastifyRequest): boolean {
    return (this.publicUrl?.protocol ?? `${request.protocol}:`) === 'https:'
  }

  private fullName(request: FastifyRequest, name: string): string {
    return this.isSecure(request) ? hostPrefix + name : name
  }
}

/** The name under which the browser knows the server: without a port, in lower case, as URLs have it. */
const hostnameOf = ({ host }: FastifyRequest): string | undefined =>
  host && URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : undefined

/** Addresses are no names that someone could lead here. */
const isAddress = (host: string): boolean => isIP(host) === 4 || /^\[.+\]$/.test(host)

const isLoopback = (host: string): boolean =>
  host === 'localhost' ||
  host.endsWith('.localhost') ||
  host === '[::1]' ||
  (isIP(host) === 4 && host.startsWith('127.'))
