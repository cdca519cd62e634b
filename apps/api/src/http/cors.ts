import type { NestFastifyApplication } from '@nestjs/platform-fastify'

type CorsOptions = NonNullable<Parameters<NestFastifyApplication['enableCors']>[0]>

/**
 * Lets pages of these origins call the API. Cookies are no part of it: the key is a header that the page sends. A
 * preflight has no key; `admitRequests` responds to it with the methods of the path.
 */
export const corsOptions = (origins: readonly string[]): CorsOptions => ({
  origin: origins[0] === '*' ? '*' : [...origins],
  methods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
  exposedHeaders: ['Location', 'Retry-After', 'Preference-Applied', 'x-request-id'],
  maxAge: 600,
  preflightContinue: true,
  // Any other OPTIONS is about the methods of the path.
  strictPreflight: false,
})
