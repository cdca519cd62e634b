import { Command, Option } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import { cell, print, printJson } from '../output.js'
import { withConnection } from './connection-options.js'
import { parseNumber } from './parse-flags.js'

interface CreateFlags extends ConnectionFlags {
  readonly role: string
  readonly userId?: number
  readonly expires?: string
  readonly json?: true
}

interface KeyRow {
  readonly id: string
  readonly name: string
  readonly role: string
  readonly user_id: number | null
  readonly expires_at: string | null
  readonly revoked_at: string | null
}

/** `memoryguard api-keys`: who may use the API. */
export function apiKeysCommand(): Command {
  return new Command('api-keys')
    .description('make, list and revoke API keys')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand())
}

function createCommand(): Command {
  const command = new Command('create')
    .description('make a key; its text is shown once')
    .argument('<name>', 'what it is for')
    .addOption(
      new Option('-r, --role <role>', 'what it may do')
        .choices(['viewer', 'submitter', 'operator', 'admin'])
        .default('submitter'),
    )
    .option('--user-id <id>', "reaches only this person's data", parseNumber)
    .option('--expires <time>', 'is refused after this time (ISO 8601)')
  return withConnection(command).action(async (name: string, flags: CreateFlags) => {
    const { connect } = await import('../client/connect.js')
    const body = { name, role: flags.role, user_id: flags.userId, expires_at: flags.expires }
    const answer = await connect(flags).send({ method: 'POST', path: '/v1/api-keys', body })
    if (flags.json) return printJson(answer.body)
    const { id, key } = answer.body as { readonly id: string; readonly key: string }
    print(key)
    print(`Its id is ${id}. Keep the key now: it is not shown again.`)
  })
}

function listCommand(): Command {
  const command = new Command('list').description('list the keys, without their text')
  return withConnection(command).action(async (flags: ConnectionFlags & { readonly json?: true }) => {
    const { connect } = await import('../client/connect.js')
    const { body } = await connect(flags).send({ path: '/v1/api-keys' })
    if (flags.json) return printJson(body)
    for (const { id, name, role, user_id, expires_at, revoked_at } of (body as { readonly items: KeyRow[] }).items) {
      const notes = [
        user_id !== null && `for user ${user_id}`,
        expires_at !== null && `expires ${expires_at}`,
        revoked_at !== null && `revoked ${revoked_at}`,
      ].filter((note) => note !== false)
      print([id, role.padEnd(9), cell(name), ...notes].join('  '))
    }
  })
}

function revokeCommand(): Command {
  const command = new Command('revoke').description('revoke a key').argument('<id>', 'id of the key')
  return withConnection(command).action(async (id: string, flags: ConnectionFlags & { readonly json?: true }) => {
    const { connect } = await import('../client/connect.js')
    await connect(flags).send({ method: 'DELETE', path: `/v1/api-keys/${encodeURIComponent(id)}` })
    if (flags.json) printJson({ id, revoked: true })
    else print(`${id} is revoked.`)
  })
}
