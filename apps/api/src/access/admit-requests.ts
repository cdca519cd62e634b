import type { Connections } from '#libs/health'
import { MemoryGuardError, type Lifecycle } from '#libs/platform'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyReply } from 'fastify'
import { isConsole } from '../console/console-paths.js'
import { chooseType } from '../http/acceptable.js'
import type { BodyMemory } from '../http/body-memory.js'
import { clientAddressOf } from '../http/client-address.js'
import { isDocumentation } from '../http/documentation-paths.js'
import { KnownRoutes } from '../http/known-routes.js'
import type { RequestLimits } from '../http/request-limits.js'
import { mayActAs, type RequestWithPrincipal } from './access.js'
import type { SignIns } from './sign-ins.js'

/** Paths below which a caller without a key learns nothing, not even which routes exist. */
const isInternal = (path: string): boolean => /^\/v1(?:[/?#]|$)/.test(path)

/** Largest body of a sign-in, in bytes. */
const signInBytes = 4_096

/** What admission depends on. */
export interface Admission {
  readonly lifecycle: Lifecycle
  readonly signIns: SignIns
  readonly limits: RequestLimits
  readonly connections: Connections
  readonly bodies: BodyMemory
}

/**
 * Decides about every request when its head has arrived and before a byte of its body is read: whether the service has
 * started, who the request is from, whether they may do this, whether they do it too often, whether the response they
 * want can be given, and whether there is memory for the body.
 */
export const admitRequests = (
  app: NestFastifyApplication,
  { lifecycle, signIns, limits, connections, bodies }: Admission,
): void => {
  const fastify = app.getHttpAdapter().getInstance()
  const routes = new KnownRoutes()
  fastify.addHook('onRoute', (route) => {
    routes.add(route)
    if (route.config?.signIn) route.bodyLimit = signInBytes
    if (isDocumentation(route.url)) route.config = { ...route.config, access: 'public', produces: ['*/*'] }
  })
  // Without a listener Node asks for the body of everyone who expects to be asked.
  fastify.server.on('checkContinue', (request, response) => fastify.server.emit('request', request, response))

  fastify.addHook('onRequest', async (request, reply) => {
    const path = request.url
    if (request.method === 'OPTIONS') {
      const methods = routes.methodsOf(path)
      if (methods.length > 0) return reply.status(204).header('allow', methods.join(', ')).send()
    }
    const { url = '', config } = request.routeOptions
    if (lifecycle.state === 'starting' && isInternal(url)) throw startingError()
    const { access, produces, signIn } = config
    if (access === 'public') {
      if (isDocumentation(path) || isConsole(url) || isInternal(url)) limits.ofAddress?.count(clientAddressOf(request))
      if (signIn) signIns.admit(request, signIn)
    } else {
      const hasRoute = !request.is404 && !routes.isOfAnother(url, path)
      if (hasRoute || isInternal(path)) {
        const found = signIns.find(request, reply)
        const principal = found instanceof Promise ? await found : found
        ;(request as RequestWithPrincipal).principal = principal
        limits.ofKey?.count(principal.id)
        connections.keep(request.raw)
      }
      limits.ofAddress?.count(clientAddressOf(request))
      if (!hasRoute) return refuseMethod(routes.methodsOf(path), reply)
      mustHaveRole(request)
    }
    // A caller that has hung up sends no body to wait for.
    if (request.raw.errored) throw request.raw.errored
    chooseType(request.headers.accept, produces)
    const { principal } = request as RequestWithPrincipal
    // A caller without a key reaches no route that reads a body, but those that sign in, whose bodies are small.
    if (principal) bodies.admit(request, reply, principal.id)
    if (request.headers.expect !== undefined) reply.raw.writeContinue()
    return undefined
  })
}

const startingError = () =>
  new MemoryGuardError('DATABASE_UNAVAILABLE', 'The service is starting and waits for its database; try again.')

const mustHaveRole = ({ principal, routeOptions }: RequestWithPrincipal): void => {
  const { access } = routeOptions.config
  if (!access || access === 'public' || !principal || !mayActAs(principal.role, access)) {
    throw new MemoryGuardError('ACCESS_ROLE_MISSING', `This needs a key with the role ${access ?? 'of nobody'}.`)
  }
}

/** A known path with a method that it does not have; another path goes on to be not found. */
const refuseMethod = (methods: readonly string[], reply: FastifyReply): undefined => {
  if (methods.length === 0) return undefined
  void reply.header('allow', methods.join(', '))
  throw new MemoryGuardError('REQUEST_METHOD_NOT_ALLOWED', `This path has the methods ${methods.join(', ')}.`)
}
