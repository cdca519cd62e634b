import { Command } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import { confirm } from '../confirm.js'
import { print, printJson } from '../output.js'
import { withConnection } from './connection-options.js'

interface EraseFlags extends ConnectionFlags {
  readonly yes?: true
  readonly json?: true
}

/** `memoryguard users`: people as a whole. */
export function usersCommand(): Command {
  return new Command('users').description("erase people's data").addCommand(eraseCommand())
}

function eraseCommand(): Command {
  const command = new Command('erase')
    .description('erase everything of a person: rows, results and queued work')
    .argument('<id>', 'number of the person')
    .option('-y, --yes', 'do not ask')
  return withConnection(command).action(async (id: string, flags: EraseFlags) => {
    if (!flags.yes) await confirm(`Erase everything of person ${id}, for ever?`, 'Nothing was erased.')
    const { connect } = await import('../client/connect.js')
    const { body } = await connect(flags).send({ method: 'DELETE', path: `/v1/users/${encodeURIComponent(id)}` })
    if (flags.json) return printJson(body)
    const { erased, pseudonym } = body as { readonly erased: Record<string, number>; readonly pseudonym: string }
    for (const [kind, count] of Object.entries(erased)) if (count > 0) print(`${kind}: ${count}`)
    print(`Erased. The audit trail knows the person as ${pseudonym}.`)
  })
}
