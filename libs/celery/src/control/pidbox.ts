import type { CeleryConnections } from '../connection.js'
import { isObject } from '../wire/is-object.js'

/** Separates the parts of a binding: routing key, pattern, queue. */
export const bindingSeparator = '\u0006\u0016'

/** The channel in which commands are broadcast to workers. */
export const pidboxChannel = (connections: CeleryConnections): string =>
  connections.key(`/${connections.database}.celery.pidbox`)

/** The ids that a worker says are revoked: Celery 5.2 sends an object of times by id, later versions a list. */
export const revokedIds = (revoked: unknown): readonly string[] =>
  Array.isArray(revoked)
    ? revoked.filter((id) => typeof id === 'string')
    : isObject(revoked)
      ? Object.keys(revoked)
      : []
