import { createProgram } from './program.js'
import { warn } from './output.js'

try {
  await createProgram().parseAsync(process.argv)
} catch (error) {
  warn(describe(error))
  // Not by `exitCode`: what a server had opened before it failed would keep it alive.
  process.exit(1)
}

/** Expected failures explain themselves; of the others the stack is what helps. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const isExpected = error.name === 'MemoryGuardError' || error.name === 'CommandError'
  return isExpected ? error.message : (error.stack ?? error.message)
}
