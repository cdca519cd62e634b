import { Stream } from 'node:stream'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyRequest } from 'fastify'
import { clientAddressOf } from '../http/client-address.js'
import type { ProblemFilter } from '../http/problem.filter.js'
import type { AccessLog } from './access-log.js'
import type { Principal, RequestWithPrincipal } from './access.js'

/** Rejections of a caller rather than of a request. */
const rejectedStatuses = [401, 403, 429]

/** Longest address that is recorded, in characters: a proxy may pass on anything. */
const maxAddressLength = 64

const routeOf = ({ method, routeOptions }: FastifyRequest): string => `${method} ${routeOptions?.url ?? 'unknown'}`

/** Has rejected callers recorded: known ones by their key, others by the network they come from. */
export const watchRejections = (problems: ProblemFilter, log: AccessLog): void => {
  problems.onProblem = (request: RequestWithPrincipal, status, code) => {
    if (!rejectedStatuses.includes(status)) return
    const { principal, id: requestId } = request
    log.noteRejection({
      action: 'request.reject',
      apiKeyId: principal?.id ?? null,
      target: principal?.id ?? clientAddressOf(request).slice(0, maxAddressLength),
      requestId,
      facets: { codes: code, routes: routeOf(request) },
    })
  }
}

/**
 * Has reads recorded: of every person whose rows the caller was shown (`Principal.seen`) or whom the content names. It
 * decides by the response alone, so that no route has to say that it is about people.
 */
export const watchReads = (app: NestFastifyApplication, log: AccessLog): void => {
  const fastify = app.getHttpAdapter().getInstance()
  fastify.addHook('onRequest', (request: RequestWithPrincipal, _reply, done) => {
    // The principal itself belongs to all requests of the key.
    if (request.principal) request.principal = { ...request.principal, seen: new Set() }
    done()
  })
  fastify.addHook('preSerialization', (request: RequestWithPrincipal, reply, payload, done) => {
    const { seen } = request.principal ?? {}
    if (seen && reply.statusCode === 200) addPeople(payload, seen)
    done(null, payload)
  })
  fastify.addHook('onSend', (request: RequestWithPrincipal, reply, payload, done) => {
    const { principal } = request
    if (principal && reply.statusCode === 200 && request.method !== 'DELETE') {
      for (const target of targetsOf(principal, payload, request)) {
        const action = typeof target === 'number' ? 'person.read' : 'people.read'
        const facets = { routes: routeOf(request) }
        log.noteRead({ action, apiKeyId: principal.id, target, requestId: request.id, facets })
      }
    }
    done(null, payload)
  })
}

/** People by number. A stream about people that nobody has named is recorded by its path. */
const targetsOf = (
  { seen, userId }: Principal,
  payload: unknown,
  { url }: FastifyRequest,
): Iterable<number | string> => {
  if (seen && seen.size > 0) return seen
  if (!(payload instanceof Stream)) return []
  return [userId ?? url.split(/[?#]/, 1)[0] ?? url]
}

/** Adds every person whom the content of a response names by `user_id`. */
const addPeople = (content: unknown, seen: Set<number>): void => {
  if (typeof content !== 'object' || content === null) return
  for (const [name, value] of Object.entries(content)) {
    if (typeof value === 'object') addPeople(value, seen)
    else if (name === 'user_id' && typeof value === 'number') seen.add(value)
  }
}
