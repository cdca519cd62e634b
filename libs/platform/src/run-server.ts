import { setTimeout as pause } from 'node:timers/promises'
import type { Lifecycle, LifecycleStep } from './lifecycle.js'
import type { Logger } from './logging/index.js'

/**
 * Resolves when a signal or the end of the supervisor stops the process. The second request ends the
 * process at once, and so does one of `coldSignals`.
 */
export const untilAskedToStop = (log: Logger, coldSignals: readonly NodeJS.Signals[] = []): Promise<void> =>
  new Promise((resolve) => {
    let isAsked = false
    const ask = (why: string, isCold = false) => {
      if (isAsked || isCold) {
        log.warn({ why }, 'stopping at once')
        process.exit(1)
      }
      isAsked = true
      log.info({ why }, 'stopping: nothing new is taken; what runs is finished')
      resolve()
    }
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const)
      process.on(signal, () => ask(signal, coldSignals.includes(signal)))
    process.once('disconnect', () => ask('the supervisor is gone'))
  })

/** A server from its start to its stop. */
export interface Server {
  readonly lifecycle: Lifecycle
  readonly steps: readonly LifecycleStep[]
  readonly log: Logger
  /** Resolves when the server has to stop. */
  readonly asked: Promise<void>
  /** How long it keeps serving then, in seconds, so that load balancers notice that it is not ready. */
  readonly shutdownDelaySeconds: number
  readonly onStarted: () => void
}

/** Runs a server until a signal or its supervisor stops it, then ends the process. @throws the first error of its start */
export const runServer = async (server: Server): Promise<never> => {
  const { lifecycle, steps, log, asked, shutdownDelaySeconds, onStarted } = server
  // Before it is ready nothing is in hand, and what it waits for may never come.
  void asked.then(() => lifecycle.state === 'starting' && process.exit(0))
  await lifecycle.start(steps)
  lifecycle.state = 'ready'
  onStarted()
  await asked
  lifecycle.state = 'draining'
  await pause(shutdownDelaySeconds * 1000)
  await lifecycle.stop()
  log.info('stopped')
  process.exit(0)
}
