import { CommandError } from './command-error.js'
import { createProgram, findRunningCommand } from './program.js'
import { endQuietlyWithoutReader, warn } from './output.js'
import { reportAs, serverNames } from './server-command.js'

const program = createProgram()
endQuietlyWithoutReader(() => findRunningCommand(program))
try {
  await program.parseAsync(process.argv)
} catch (error) {
  const { codeField, explainError } = await import('#libs/platform')
  const text = error instanceof CommandError ? error.message : explainError(error)
  const command = findRunningCommand(program) ?? ''
  if (serverNames.includes(command)) await reportAs(command, 'fatal', text, codeField(error))
  else warn(text)
  // Not by `exitCode`: what a server had opened before it failed would keep it alive.
  process.exit(1)
}
