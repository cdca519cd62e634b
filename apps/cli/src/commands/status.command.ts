import { Command } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import { print, printJson, warn } from '../output.js'
import { withConnection } from './connection-options.js'

/** `memoryguard status`: the workers and whether work can be done, as `celery status` does. Exit code 1 if not. */
export function statusCommand(): Command {
  const command = new Command('status')
    .description('list the workers, and whether the service can do its work')
    .addHelpText(
      'after',
      '\nExit codes:\n  0  everything works; what should be set otherwise is a line on standard error\n  1  something does not; each fault is a line on standard error',
    )
  return withConnection(command).action(async (flags: ConnectionFlags & { readonly json?: true }) => {
    const { connect } = await import('../client/connect.js')
    const { readServiceStatus } = await import('../client/service-status.js')
    const status = await readServiceStatus(connect(flags))
    if (flags.json) printJson(status)
    else {
      for (const { name, state } of status.items) print(`${name}: ${state}`)
      for (const line of [...status.faults, ...status.notes]) warn(line)
    }
    if (status.faults.length > 0) process.exitCode = 1
  })
}
