import { CallRevokes } from '#libs/calls/celery'
import { CeleryConnections, CeleryResults, RevokeListener } from '#libs/celery'
import { CeleryCallRepository, CeleryRevokeRepository } from '#libs/database'
import type { CeleryConfig, LifecycleStep, Logger } from '#libs/platform'
import { ResultParts } from '#libs/tasks'
import type { INestApplicationContext, Type } from '@nestjs/common'

/**
 * Hears the revokes of Celery callers in the api too: workers may all be down when one is broadcast. This file is loaded
 * only where there are Celery callers.
 */
export const revokeStep = (app: INestApplicationContext, celery: CeleryConfig, log: Logger): LifecycleStep => {
  const connections = new CeleryConnections(celery, (error) => log.debug({ err: error }, 'Celery connection failed'))
  const results = new CeleryResults(connections, { expiresSeconds: celery.resultExpiresSeconds })
  const get = <Part>(part: Type<Part>): Part => app.get(part, { strict: false })
  const [calls, stored, parts] = [get(CeleryCallRepository), get(CeleryRevokeRepository), get(ResultParts)]
  const revokes = new CallRevokes(calls, stored, parts, results, connections, log)
  const listener = new RevokeListener(connections, revokes, log)
  return { name: 'revokes of Celery callers', start: () => listener.start(), stop: () => connections.close() }
}
