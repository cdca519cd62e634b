import { Command } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import { confirm } from '../confirm.js'
import { print, printJson } from '../output.js'
import { withConnection } from './connection-options.js'

interface PurgeFlags extends ConnectionFlags {
  readonly queues?: string
  readonly yes?: true
  readonly json?: true
}

/** `memoryguard purge`: cancels what waits in queues, as `celery purge` does. Asks first unless `--yes` is given. */
export function purgeCommand(): Command {
  const command = new Command('purge')
    .description('cancel every task that has not started')
    .option('-Q, --queues <list>', 'only these queues, separated by commas')
    .option('-y, --yes', 'do not ask')
  return withConnection(command).action(async (flags: PurgeFlags) => {
    const { queueNames } = await import('#libs/platform')
    const { connect } = await import('../client/connect.js')
    const queues = flags.queues?.split(',').map((name) => name.trim()) ?? queueNames
    if (!flags.yes) await confirm(`Cancel every waiting task of ${queues.join(', ')}?`, 'Nothing was cancelled.')
    const client = connect(flags)
    const purged: Record<string, number> = {}
    for (const queue of queues) {
      const path = `/v1/queues/${encodeURIComponent(queue)}/purge`
      const { body } = await client.send({ method: 'POST', path })
      purged[queue] = (body as { readonly purged: number }).purged
    }
    if (flags.json) return printJson(purged)
    for (const [queue, count] of Object.entries(purged)) print(`${queue}: ${count} cancelled`)
  })
}
