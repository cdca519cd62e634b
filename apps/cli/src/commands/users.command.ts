import { Command } from 'commander'
import { confirm } from '../confirm.js'
import { callsApi, group, path } from './api-command.js'

interface Erasure {
  readonly erased: Readonly<Record<string, number>>
  readonly pseudonym: string
}

/** `memoryguard users`: people as a whole. */
export const usersCommand = (): Command =>
  group('users', "erase people's data", [
    callsApi(
      new Command('erase')
        .description('erase everything of a person: rows, results and queued work')
        .argument('<id>', 'number of the person')
        .option('-y, --yes', 'do not ask'),
      async (client, [id]: [string], { yes }: { readonly yes?: true }) => {
        if (!yes) await confirm(`Erase everything of person ${id}, for ever?`, 'Nothing was erased.')
        const { body } = await client.send({ method: 'DELETE', path: path`/v1/users/${id}` })
        const { erased, pseudonym } = body as Erasure
        const counts = Object.entries(erased).filter(([, count]) => count > 0)
        return {
          json: body,
          lines: [
            ...counts.map(([kind, count]) => `${kind}: ${count}`),
            `Erased. The audit trail knows the person as ${pseudonym}.`,
          ],
        }
      },
    ),
  ])
