/** Ctrl-C and the signals that end a program. */
export interface Interruption {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal
  /** Hands the signals back to Node's default. */
  readonly release: () => void
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** npm passes on the Ctrl-C that the terminal already sent to us: a second signal this early is the same one. */
const sameSignalMs = 1000

/** npm passes no signal on but Ctrl-C: that it was ended shows when the shell is gone that it ran us by. */
const orphanCheckMs = 500

/** Listens for the request to end; a second one, by a person who does not want to wait, calls `onForce`. */
export const listenForInterruption = (onForce: () => void): Interruption => {
  const controller = new AbortController()
  let firstAt: number | undefined
  const listener = () => {
    const now = performance.now()
    if (firstAt === undefined) {
      firstAt = now
      controller.abort()
    } else if (now - firstAt > sameSignalMs) onForce()
  }
  for (const signal of signals) process.on(signal, listener)
  const parent = process.ppid
  const endIfOrphaned = () => {
    if (process.ppid === parent) return
    clearInterval(orphanCheck)
    listener()
  }
  const orphanCheck = process.env['npm_lifecycle_event'] ? setInterval(endIfOrphaned, orphanCheckMs).unref() : undefined
  return {
    signal: controller.signal,
    release: () => {
      clearInterval(orphanCheck)
      signals.forEach((signal) => process.off(signal, listener))
    },
  }
}
