import { Command } from 'commander'
import { confirm } from '../confirm.js'
import { callsApi, path } from './api-command.js'

interface PurgeFlags {
  readonly queues?: string
  readonly yes?: true
}

/** `memoryguard purge`: cancels what waits in queues, as `celery purge` does. Asks first unless `--yes` is given. */
export const purgeCommand = (): Command =>
  callsApi(
    new Command('purge')
      .description('cancel every task that has not started')
      .option('-Q, --queues <list>', 'only these queues, separated by commas')
      .option('-y, --yes', 'do not ask'),
    async (client, _, flags: PurgeFlags) => {
      const { queueNames } = await import('#libs/platform')
      const queues = flags.queues?.split(',').map((name) => name.trim()) ?? queueNames
      if (!flags.yes) await confirm(`Cancel every waiting task of ${queues.join(', ')}?`, 'Nothing was cancelled.')
      const purged: Record<string, number> = {}
      for (const queue of queues) {
        const { body } = await client.send({ method: 'POST', path: path`/v1/queues/${queue}/purge` })
        purged[queue] = (body as { readonly purged: number }).purged
      }
      return {
        json: purged,
        lines: Object.entries(purged).map(([queue, count]) => `${queue}: ${count} cancelled`),
      }
    },
  )
