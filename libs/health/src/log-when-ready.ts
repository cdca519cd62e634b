import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from '#libs/platform'
import type { ReadinessReport } from './readiness.js'

const pollMs = 1_000

/** What the log says of a process that has started. */
export interface StartedProcess {
  readonly log: Logger
  /** Fields of the lines. */
  readonly fields: () => Promise<object>
  /** What the readiness probe responds with. */
  readonly report: () => Promise<ReadinessReport>
  /** Whether the process stops. */
  readonly isOver: () => boolean
}

/** Logs `ready` when the readiness probe first agrees; before that what keeps it, each time that changes. */
export const logWhenReady = async ({ log, fields, report, isOver }: StartedProcess): Promise<void> => {
  let said = ''
  while (!isOver()) {
    const { isReady, faults } = await report()
    if (isOver()) return
    if (isReady) {
      log.info(await fields(), 'ready')
      return
    }
    const now = JSON.stringify(faults)
    if (now !== said) log.warn({ ...(await fields()), faults }, 'started, not ready')
    said = now
    await pause(pollMs, undefined, { ref: false })
  }
}
