import { Command } from 'commander'
import { warn } from '../output.js'
import { callsApi } from './api-command.js'

/** `memoryguard status`: the workers and whether work can be done, as `celery status` does. Exit code 1 if not. */
export const statusCommand = (): Command =>
  callsApi(
    new Command('status')
      .description('list the workers, and whether the service can do its work')
      .addHelpText(
        'after',
        '\nExit codes:\n  0  everything works; what should be set otherwise is a line on standard error\n  1  something does not; each fault is a line on standard error',
      ),
    async (client, _, flags: { readonly json?: true }) => {
      const { readServiceStatus } = await import('../client/service-status.js')
      const status = await readServiceStatus(client)
      if (!flags.json) [...status.faults, ...status.notes].forEach(warn)
      if (status.faults.length > 0) process.exitCode = 1
      return { json: status, lines: status.items.map(({ name, state }) => `${name}: ${state}`) }
    },
  )
