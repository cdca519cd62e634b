import { createProgram, findRunningCommand } from './program.js'
import { endQuietlyWithoutReader, warn } from './output.js'
import { reportAs, serverNames } from './server-command.js'

const program = createProgram()
endQuietlyWithoutReader(() => findRunningCommand(program))
try {
  await program.parseAsync(process.argv)
} catch (error) {
  const command = findRunningCommand(program) ?? ''
  if (serverNames.includes(command)) await reportAs(command, 'fatal', describe(error), fieldsOf(error))
  else warn(describe(error))
  // Not by `exitCode`: what a server had opened before it failed would keep it alive.
  process.exit(1)
}

/** Expected failures explain themselves, as those of the system do; of the others the stack is what helps. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return isExpected(error) ? error.message : (error.stack ?? error.message)
}

function isExpected(error: Error): boolean {
  return error.name === 'MemoryGuardError' || error.name === 'CommandError' || 'syscall' in error
}

function fieldsOf(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error) || !('code' in error)) return {}
  return { code: error.code }
}
