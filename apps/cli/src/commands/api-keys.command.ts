import { Command, Option } from 'commander'
import { cell } from '../output.js'
import { group, path, sends } from './api-command.js'
import { parseNumber } from './parse-flags.js'

interface CreateFlags {
  readonly role: string
  readonly userId?: number
  readonly expires?: string
}

interface KeyRow {
  readonly id: string
  readonly name: string
  readonly role: string
  readonly user_id: number | null
  readonly expires_at: string | null
  readonly revoked_at: string | null
}

const lineOf = ({ id, name, role, user_id: userId, expires_at: expiresAt, revoked_at: revokedAt }: KeyRow): string => {
  const notes = [
    userId !== null && `for user ${userId}`,
    expiresAt !== null && `expires ${expiresAt}`,
    revokedAt !== null && `revoked ${revokedAt}`,
  ].filter((note) => note !== false)
  return [id, role.padEnd(9), cell(name), ...notes].join('  ')
}

/** `memoryguard api-keys`: who may use the API. */
export const apiKeysCommand = (): Command =>
  group('api-keys', 'make, list and revoke API keys', [
    sends(
      new Command('create')
        .description('make a key; its text is shown once')
        .argument('<name>', 'what it is for')
        .addOption(
          new Option('-r, --role <role>', 'what it may do')
            .choices(['viewer', 'submitter', 'operator', 'admin'])
            .default('submitter'),
        )
        .option('--user-id <id>', "reaches only this person's data", parseNumber)
        .option('--expires <time>', 'is rejected after this time (ISO 8601)'),
      {
        request: ([name]: [string], { role, userId, expires }: CreateFlags) => ({
          method: 'POST',
          path: '/v1/api-keys',
          body: { name, role, user_id: userId, expires_at: expires },
        }),
        show: ({ id, key }: { readonly id: string; readonly key: string }) => [
          key,
          `Its id is ${id}. Keep the key now: it is not shown again.`,
        ],
      },
    ),
    sends(new Command('list').description('list the keys, without their text'), {
      request: () => ({ path: '/v1/api-keys' }),
      show: ({ items }: { readonly items: readonly KeyRow[] }) => items.map(lineOf),
    }),
    sends(new Command('revoke').description('revoke a key').argument('<id>', 'id of the key'), {
      request: ([id]: [string]) => ({ method: 'DELETE', path: path`/v1/api-keys/${id}` }),
      show: (_, [id]) => [`${id} is revoked.`],
      json: ([id]) => ({ id, revoked: true }),
    }),
  ])
