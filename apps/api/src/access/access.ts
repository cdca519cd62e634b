import { roles, type Role, type Session } from '#libs/database'
import { MemoryGuardError } from '#libs/platform'
import { applyDecorators, createParamDecorator, type ExecutionContext } from '@nestjs/common'
import { ApiExtension } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import { routeOptions } from '../http/route-options.js'

/** Who asks. */
export interface Principal {
  /** Id of the API key, or of the OIDC caller. */
  readonly id: string
  /** Name of the API key, or `oidc:` and the subject. */
  readonly name: string
  readonly role: Role
  /** Set if the key reaches only this person's data. */
  readonly userId: number | null
  /** What the request proved it by. */
  readonly method: 'key' | 'token' | 'session'
  /** The session of the cookie, if the request was sent with one. */
  readonly session?: Session
  /** Span of the request, a W3C `traceparent`; absent unless its trace is recorded. */
  readonly traceparent?: string
  /** People whose rows this request was shown; absent unless reads are recorded. */
  readonly seen?: Set<number>
}

export type RequestWithPrincipal = FastifyRequest & { principal?: Principal }

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may use the route: at least this role, or everyone. Without it the route is refused to everyone. */
    access?: Role | 'public'
    /** A public route that signs in: by what it is sent, or by redirects of the browser. */
    signIn?: 'body' | 'redirect'
  }
}

/** Name of the least role of a route in the OpenAPI document. */
export const roleExtension = 'x-least-role'

/** The scheme of RFC 6750, blanks and one word. */
const bearer = /^Bearer[ \t]+(\S+)[ \t]*$/i

/** The key of an Authorization header; undefined if it holds none. The one place that reads it. */
export const parseBearer = (authorization: string | undefined): string | undefined =>
  bearer.exec(authorization ?? '')?.[1]

/** The least role that may use a route. A route with neither this nor `@Public()` is refused to everyone. */
export const RequireRole = (role: Role) =>
  applyDecorators(routeOptions({ access: role }), ApiExtension(roleExtension, role))

/** A route that needs no key. */
export const Public = () => routeOptions({ access: 'public' })

/** A public route that signs in. Its host, its origin and its address are checked before its body is read. */
export const SignsIn = (signIn: 'body' | 'redirect') => routeOptions({ access: 'public', signIn })

export const mayActAs = (has: Role, needs: Role): boolean => roles.indexOf(has) >= roles.indexOf(needs)

/** The principal of the request; the guard has set it. */
export const principalOf = ({ principal }: RequestWithPrincipal): Principal => {
  if (!principal) throw new Error('A route with a principal must not be public')
  return principal
}

/** `principalOf` as a parameter of a route. */
export const CurrentPrincipal = createParamDecorator((_: unknown, context: ExecutionContext) =>
  principalOf(context.switchToHttp().getRequest<RequestWithPrincipal>()),
)

/** Whether the principal reaches this person's data, or, without a person, what is about no one. */
export const reaches = ({ userId }: Principal, subject: number | null): boolean => userId === null || userId === subject

/**
 * For routes below a person, which are about that person.
 * @throws MemoryGuardError ACCESS_ROLE_MISSING if the principal does not reach the person.
 */
export const mustReach = (principal: Principal, subject: number): void => {
  if (reaches(principal, subject)) return void principal.seen?.add(subject)
  throw new MemoryGuardError('ACCESS_ROLE_MISSING', 'This key is bound to another person.', {
    faults: [{ pointer: '/user_id', message: 'must be the person that the key is bound to' }],
  })
}
