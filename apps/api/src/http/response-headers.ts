import type { Lifecycle } from '#libs/platform'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { isDocumentation } from './documentation-paths.js'
import type { PublicUrl } from './public-url.js'
import { documentationPolicy, securityHeaders } from './security-headers.js'

/** Gives every response the headers that do not depend on its route. */
export const addResponseHeaders = (app: NestFastifyApplication, lifecycle: Lifecycle, publicUrl: PublicUrl): void => {
  const documentationHeaders = {
    ...securityHeaders,
    'content-security-policy': documentationPolicy(publicUrl.origin),
  }
  app
    .getHttpAdapter()
    .getInstance()
    .addHook('onSend', (request, reply, _payload, done) => {
      // A stream adds that nobody is to change it under way; a page of the console has a policy of its own.
      const cacheControl = reply.getHeader('cache-control')
      const policy = reply.getHeader('content-security-policy')
      void reply.headers(isDocumentation(request.url) ? documentationHeaders : securityHeaders)
      if (cacheControl !== undefined) void reply.header('cache-control', cacheControl)
      if (policy !== undefined) void reply.header('content-security-policy', policy)
      void reply.header('x-request-id', request.id)
      const location = reply.getHeader('location')
      if (typeof location === 'string' && location.startsWith('/')) {
        void reply.header('location', publicUrl.baseOf(request) + location)
      }
      // A connection that were kept for a next request would keep the process from ending.
      if (lifecycle.state === 'draining') void reply.header('connection', 'close')
      done()
    })
}
