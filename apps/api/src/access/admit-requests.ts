import { MemoryGuardError } from '#libs/platform'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyReply } from 'fastify'
import { chooseType } from '../http/acceptable.js'
import type { Connections } from '../http/connections.js'
import { isDocumentation } from '../http/documentation-paths.js'
import { KnownRoutes } from '../http/known-routes.js'
import { countRequest, type RequestLimits } from '../http/request-limits.js'
import { mayActAs, type RequestWithPrincipal } from './access.js'
import type { SignIns } from './sign-ins.js'

/** Paths below which nothing is told to callers without a key, not even what there is. */
const isInternal = (path: string): boolean => /^\/v1(?:[/?#]|$)/.test(path)

/**
 * Decides about every request when its head has arrived and before a byte of its body is read: who it is from, whether
 * they may do this, whether they do it too often, and whether the response they want can be given.
 */
export const admitRequests = (
  app: NestFastifyApplication,
  signIns: SignIns,
  limits: RequestLimits,
  connections: Connections,
): void => {
  const fastify = app.getHttpAdapter().getInstance()
  const routes = new KnownRoutes()
  fastify.addHook('onRoute', (route) => {
    routes.add(route)
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
    const { access, produces } = config
    if (access === 'public') {
      if (isDocumentation(path)) await countRequest(limits.ofAddress, request)
    } else {
      const hasRoute = !request.is404 && !routes.isOfAnother(url, path)
      if (hasRoute || isInternal(path)) {
        await admit(request, signIns, limits)
        connections.keep(request, reply)
      } else await countRequest(limits.ofAddress, request)
      if (!hasRoute) return refuseMethod(routes.methodsOf(path), reply)
      mustHaveRole(request)
    }
    // Who has hung up meanwhile sends no body that could be waited for.
    if (request.raw.errored) throw request.raw.errored
    chooseType(request.headers.accept, produces)
    if (request.headers.expect !== undefined) reply.raw.writeContinue()
    return undefined
  })
}

const admit = async (request: RequestWithPrincipal, signIns: SignIns, limits: RequestLimits): Promise<void> => {
  const principal = await signIns.find(request)
  request.principal = principal
  await countRequest(limits.ofKey, request)
  await countRequest(limits.ofAddress, request)
}

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
