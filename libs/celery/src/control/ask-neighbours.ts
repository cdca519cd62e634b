import type { CeleryConnections } from '../connection.js'
import type { LogicalClock } from '../logical-clock.js'
import { askWorkers } from './ask-workers.js'
import { isObject } from '../wire/is-object.js'
import { revokedIds } from './pidbox.js'

/** How long the replies of other workers are waited for, in milliseconds: as long as Celery's workers wait. */
const waitMs = 1_000

/**
 * Asks the other workers what they know as revoked, and for their clocks, as Celery's workers do when they start. Returns
 * the ids.
 */
export const askNeighbours = async (
  connections: CeleryConnections,
  name: string,
  clock: LogicalClock,
): Promise<readonly string[]> => {
  const hello = { method: 'hello', arguments: { from_node: name, revoked: [] } }
  const [replies = []] = await askWorkers(connections, [hello], waitMs, clock)
  // This worker replies to itself, with nothing.
  const known = replies.map(({ reply }) => reply).filter(isObject)
  for (const reply of known) clock.adjust(reply['clock'])
  return [...new Set(known.flatMap(({ revoked }) => revokedIds(revoked)))]
}
