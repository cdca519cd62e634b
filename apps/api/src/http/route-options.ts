import { RouteConfig } from '@nestjs/platform-fastify'
import type { FastifyContextConfig } from 'fastify'

/** Where the adapter finds the options of a route. */
const optionsMetadata = '__fastify_route_config__'

/** Adds options to a route, which hooks read before its body is read. */
export const routeOptions =
  (options: Partial<FastifyContextConfig>): MethodDecorator =>
  (target, key, descriptor) => {
    const given: object | undefined = descriptor.value && Reflect.getMetadata(optionsMetadata, descriptor.value)
    return RouteConfig({ ...given, ...options })(target, key, descriptor)
  }
