import v8 from 'node:v8'
import vm from 'node:vm'

/**
 * Flags of Node for a server of ours, measured on two cores: a young generation of half the size, collected by the
 * thread that makes the garbage, and an old one that is collected when it has grown by a fifth. Servers take a quarter
 * less memory than without; see docs/decisions/0012-one-program.md.
 */
export const serverFlags = [
  '--max-semi-space-size=8',
  '--single-threaded-gc',
  '--heap-growing-percent=20',
  '--v8-pool-size=1',
] as const

/** Gives back what only the start needed; takes about 50 ms. Call it once, before work is taken. */
export const collectGarbageOfStart = (): void => {
  v8.setFlagsFromString('--expose-gc')
  const collect: unknown = vm.runInNewContext('gc')
  if (typeof collect === 'function') collect()
}
