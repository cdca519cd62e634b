import v8 from 'node:v8'
import vm from 'node:vm'

/**
 * Flags of Node for a server of ours, measured on two cores: garbage is collected by the thread that makes it, and the old
 * generation when it has grown by a fifth. Servers take less memory than without; see docs/decisions/0012-one-program.md.
 *
 * Nothing is made in the old generation at once (pretenuring). V8 does so for code whose objects have survived early; under
 * load those of the requests under way survive once, and no longer. Which code it is differs from start to start. When it is
 * a part of the HTTP server, what responses refer to is promoted until the process ends, for up to a sixth of the api's CPU.
 */
export const serverFlags = [
  '--max-semi-space-size=16',
  '--single-threaded-gc',
  '--no-allocation-site-pretenuring',
  '--heap-growing-percent=20',
  '--v8-pool-size=1',
] as const

/** Gives back what only the start needed; takes about 50 ms. Call it once, before work is taken. */
export const collectGarbageOfStart = (): void => {
  v8.setFlagsFromString('--expose-gc')
  const collect: unknown = vm.runInNewContext('gc')
  if (typeof collect === 'function') collect()
}
