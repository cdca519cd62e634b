import { createInterface } from 'node:readline/promises'
import { CommandError } from './command-error.js'

/**
 * Asks before something that cannot be undone.
 * @throws CommandError unless the answer is yes, or where nobody can be asked; `refusal` says that nothing was done.
 */
export const confirm = async (question: string, refusal: string): Promise<void> => {
  if (!process.stdin.isTTY) throw new CommandError(`${question} Add --yes to confirm.`)
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await terminal.question(`${question} (yes/NO) `)
  terminal.close()
  if (answer.trim().toLowerCase() !== 'yes') throw new CommandError(refusal)
}
