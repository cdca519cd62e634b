import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Config } from '#libs/platform'
import fastifyStatic from '@fastify/static'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { PublicUrl } from '../http/public-url.js'
import { consolePolicy } from '../http/security-headers.js'
import { fileRoutes, pageRoutes } from './console-paths.js'

const config = { access: 'public', produces: ['*/*'] } as const

/** Where `npm run build` puts the console. */
const consoleFolder = (): string =>
  join(dirname(createRequire(import.meta.url).resolve('#package.json')), 'dist/apps/console')

/** The page, as it is for where the caller finds the API. Its nonce allows the styles that it makes itself. */
const pageOf = (template: string, base: string, nonce: string): string =>
  template
    .replace('<base href="/" />', `<base href="${base}/" />`)
    .replace('name="csp-nonce" content=""', `name="csp-nonce" content="${nonce}"`)

/** Serves the console at `/`, if it has been built. */
export const serveConsole = async (app: NestFastifyApplication, http: Config['http']): Promise<void> => {
  const root = consoleFolder()
  if (!existsSync(join(root, 'index.html'))) return
  const template = readFileSync(join(root, 'index.html'), 'utf8')
  const publicUrl = new PublicUrl(http)
  const fastify = app.getHttpAdapter().getInstance()
  await fastify.register(fastifyStatic, {
    root,
    serve: false,
    preCompressed: true,
    decorateReply: !fastify.hasReplyDecorator('sendFile'),
  })
  for (const url of pageRoutes) {
    fastify.get(url, { config }, (request, reply) => {
      const nonce = randomBytes(16).toString('base64')
      const base = new URL(publicUrl.baseOf(request), 'http://localhost').pathname.replace(/\/$/, '')
      return reply
        .type('text/html; charset=utf-8')
        .headers({ 'content-security-policy': consolePolicy(nonce), 'cross-origin-opener-policy': 'same-origin' })
        .send(pageOf(template, base, nonce))
    })
  }
  for (const url of fileRoutes) {
    fastify.get(url, { config }, (request, reply) => {
      const name = request.url.slice(1).split('?', 1)[0] ?? ''
      // The name of an asset has a hash of what it holds.
      const isHashed = name.startsWith('assets/')
      return reply
        .header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
        .sendFile(name, { cacheControl: false })
    })
  }
}
