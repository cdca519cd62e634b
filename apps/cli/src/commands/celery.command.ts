import { Command } from 'commander'
import { CommandError } from '../command-error.js'
import { print, printJson, warn } from '../output.js'
import { group } from './api-command.js'

/** `memoryguard celery`: moving over from Celery. */
export const celeryCommand = (): Command =>
  group('celery', 'help to move over from Celery (docs/migrating-from-celery.md)', [checkCommand()])

const checkCommand = (): Command =>
  new Command('check')
    .description('read the Redis of Celery callers, and say what will not work and what to do; nothing is changed')
    .option('--json', 'print what was seen as JSON')
    .addHelpText(
      'after',
      `
It reads CELERY_BROKER_URL, CELERY_RESULT_BACKEND and DATABASE_URL, or the database of a running "npm start". Names of
queues, tasks, workers and hosts are shown, but nothing of the arguments of calls.

Exit codes:
  0  everything works; what is good to know is a line on standard error
  1  something will not; each fault is a line on standard error`,
    )
    .action(async ({ json }: { readonly json?: true }) => {
      const { readEnvironment } = await import('#libs/platform')
      const { configWithDatabase } = await import('../start/running-database.js')
      const { isTaskName } = await import('#libs/tasks/contracts')
      const { readCeleryFacts } = await import('../celery-check/read-facts.js')
      const { judge } = await import('../celery-check/judge.js')
      const { factsText } = await import('../celery-check/facts-text.js')
      const config = configWithDatabase(readEnvironment())
      if (!config.celery) {
        throw new CommandError(
          'CELERY_BROKER_URL is not set. Set it to the broker of the Celery callers, such as redis://127.0.0.1:6379/1.',
        )
      }
      const facts = await readCeleryFacts(config, config.celery)
      const verdict = judge(facts, isTaskName)
      if (json) printJson({ ...facts, ...verdict })
      else print(factsText(facts))
      if (!json) for (const line of [...verdict.faults, ...verdict.notes.map((note) => `Note: ${note}`)]) warn(line)
      // Not the end of the event loop: a server that does not respond would keep this process.
      process.stdout.write('', () => process.exit(verdict.faults.length > 0 ? 1 : 0))
    })
