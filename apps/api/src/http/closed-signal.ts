import type { FastifyRequest } from 'fastify'

/** Aborted when the caller hangs up, so that no one waits for nobody. */
export const closedSignal = ({ raw }: FastifyRequest): AbortSignal => {
  const controller = new AbortController()
  raw.once('close', () => controller.abort())
  return controller.signal
}
