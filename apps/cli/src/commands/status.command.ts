import { Command } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import { print, printJson } from '../output.js'
import { withConnection } from './connection-options.js'

/** `memoryguard status`: the workers and whether they are alive, as `celery status` does. Exit code 1 without any. */
export function statusCommand(): Command {
  const command = new Command('status').description('list the workers and whether they are alive')
  return withConnection(command).action(async (flags: ConnectionFlags & { readonly json?: true }) => {
    const { connect } = await import('../client/connect.js')
    const { findWorkers } = await import('../client/workers.js')
    const items = await findWorkers(connect(flags))
    if (flags.json) printJson({ items })
    else for (const { name, state } of items) print(`${name}: ${state}`)
  })
}
