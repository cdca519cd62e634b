import { Command } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import { CommandError } from '../command-error.js'
import { print, printJson } from '../output.js'
import { withConnection } from './connection-options.js'

interface WorkerRow {
  readonly name: string
  readonly state: string
}

/** `memoryguard status`: the workers and whether they are alive, as `celery status` does. Exit code 1 without any. */
export function statusCommand(): Command {
  const command = new Command('status').description('list the workers and whether they are alive')
  return withConnection(command).action(async (flags: ConnectionFlags & { readonly json?: true }) => {
    const { connect } = await import('../client/connect.js')
    const { body } = await connect(flags).send({ path: '/v1/workers' })
    const { items } = body as { items: readonly WorkerRow[] }
    if (flags.json) printJson(body)
    else for (const { name, state } of items) print(`${name}: ${state}`)
    if (items.length === 0) throw new CommandError('No worker has reported. Start one: memoryguard worker')
  })
}
