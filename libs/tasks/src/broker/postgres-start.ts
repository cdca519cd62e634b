import type { PostgresQueueBackend } from 'bullmq'

/** What BullMQ keeps of its first attempt to connect; its types leave it out. */
interface Start {
  readyPromise: Promise<void> | undefined
}

/**
 * Has a backend connect again after its first attempt failed. BullMQ remembers that attempt, so that a process that
 * starts while PostgreSQL is down would never use its queues.
 */
export const forgetFailedStart = (backend: PostgresQueueBackend): void => {
  for (const part of [backend, backend.connection]) {
    const start = part as unknown as Start
    const waitUntilReady = part.waitUntilReady.bind(part)
    part.waitUntilReady = async () => {
      try {
        await waitUntilReady()
      } catch (error) {
        start.readyPromise = undefined
        throw error
      }
    }
  }
}
