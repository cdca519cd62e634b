import { MemoryGuardError } from '#libs/platform'
import { Injectable, type CanActivate, type ExecutionContext, type Type } from '@nestjs/common'
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js'
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js'
import type { FastifyRequest } from 'fastify'
import { pointerOf } from './problem.js'

/** Rejects the parameters of a query that is sent to a route of `/v1` without one; the others have a schema for it. */
@Injectable()
export class KnownQuery implements CanActivate {
  private readonly withQuery = new WeakMap<object, boolean>()

  canActivate(context: ExecutionContext): boolean {
    const { url, query } = context.switchToHttp().getRequest<FastifyRequest>()
    if (!url.includes('?') || !url.startsWith('/v1') || this.hasQuery(context)) return true
    const names = Object.keys(Object(query) as object)
    if (names.length === 0) return true
    throw new MemoryGuardError('REQUEST_INVALID', 'This route takes no parameters after a question mark.', {
      faults: names.map((name) => ({ pointer: pointerOf([name]), message: 'is not known here; leave it out' })),
    })
  }

  private hasQuery(context: ExecutionContext): boolean {
    const handler = context.getHandler()
    const known = this.withQuery.get(handler)
    if (known !== undefined) return known
    const found = takesQuery(context.getClass(), handler.name)
    this.withQuery.set(handler, found)
    return found
  }
}

/** Whether a parameter of the method is decorated with `@Query`; the keys of the metadata begin with its kind. */
const takesQuery = (controller: Type, method: string): boolean => {
  const parameters: unknown = Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, method)
  return Object.keys(Object(parameters) as object).some((key) => key.startsWith(`${RouteParamtypes.QUERY}:`))
}
