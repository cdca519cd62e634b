import { Command } from 'commander'
import { type CommonFlags, withConnection } from './api-command.js'

/** `memoryguard report`: what belongs into a bug report, as `celery report` shows it. */
export const reportCommand = (): Command =>
  withConnection(
    new Command('report')
      .description('show versions, configuration and state, for a bug report')
      .addHelpText(
        'after',
        '\nSecrets are masked, and nothing of a person is shown; names of your hosts and users are. A part that cannot be\nreached says why, and the exit code is 0.',
      ),
  ).action(async (flags: CommonFlags) => {
    const { readEnvironment } = await import('#libs/platform')
    const { makeReport } = await import('../report/make-report.js')
    const { toText } = await import('../report/report-text.js')
    const report = await makeReport(readEnvironment(), flags)
    const text = flags.json ? JSON.stringify(report, null, 2) : toText(report)
    // Not the end of the event loop: a server that does not respond would keep this process.
    process.stdout.write(`${text}\n`, () => process.exit(0))
  })
