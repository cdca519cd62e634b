import { createRequire } from 'node:module'
import { Command, Option } from 'commander'
import { apiKeysCommand } from './commands/api-keys.command.js'
import { apiCommand } from './commands/api.command.js'
import { auditCommand } from './commands/audit.command.js'
import { batchCommand } from './commands/batch.command.js'
import { callCommand } from './commands/call.command.js'
import { celeryCommand } from './commands/celery.command.js'
import { configCommand } from './commands/config.command.js'
import { consoleLinkCommand } from './commands/console-link.command.js'
import { controlCommand } from './commands/control.command.js'
import { eventsCommand } from './commands/events.command.js'
import { inspectCommand } from './commands/inspect.command.js'
import { migrateCommand } from './commands/migrate.command.js'
import { modelsCommand } from './commands/models.command.js'
import { purgeCommand } from './commands/purge.command.js'
import { reportCommand } from './commands/report.command.js'
import { resultCommand } from './commands/result.command.js'
import { schedulesCommand } from './commands/schedules.command.js'
import { startCommand } from './commands/start.command.js'
import { statusCommand } from './commands/status.command.js'
import { usersCommand } from './commands/users.command.js'
import { webhooksCommand } from './commands/webhooks.command.js'
import { workerCommand } from './commands/worker.command.js'
import { warn } from './output.js'
import { reportAs, serverNames } from './server-command.js'

/** The `memoryguard` command. Each subcommand loads what it needs when it runs, so that `--help` is quick. */
export const createProgram = (): Command => {
  const { version } = createRequire(import.meta.url)('#package.json') as { version: string }
  const notes: string[] = []
  return new Command('memoryguard')
    .description('Asynchronous dementia-risk predictions. Decision support, not diagnosis.')
    .version(version)
    .addOption(new Option('-A, --app <name>').hideHelp())
    .on('option:app', () => notes.push('--app has no meaning here and is ignored'))
    .hook('preAction', async (program, action) => {
      running.set(program, nameOf(action))
      const { configWarnings, readEnvironment } = await import('#libs/platform')
      for (const line of [...notes, ...configWarnings(readEnvironment())]) await note(nameOf(action), line)
    })
    .addCommand(startCommand())
    .addCommand(apiCommand())
    .addCommand(workerCommand((line) => notes.push(line)))
    .addCommand(migrateCommand())
    .addCommand(configCommand())
    .addCommand(callCommand())
    .addCommand(batchCommand())
    .addCommand(resultCommand())
    .addCommand(eventsCommand())
    .addCommand(statusCommand())
    .addCommand(reportCommand())
    .addCommand(inspectCommand())
    .addCommand(controlCommand())
    .addCommand(celeryCommand())
    .addCommand(purgeCommand())
    .addCommand(apiKeysCommand())
    .addCommand(consoleLinkCommand())
    .addCommand(webhooksCommand())
    .addCommand(modelsCommand())
    .addCommand(usersCommand())
    .addCommand(auditCommand())
    .addCommand(schedulesCommand())
}

const running = new WeakMap<Command, string>()

/** Name of the subcommand whose action has begun. */
export const findRunningCommand = (program: Command): string | undefined => running.get(program)

/** Name of the command below the program that an action belongs to. */
const nameOf = (action: Command): string => (action.parent?.parent ? nameOf(action.parent) : action.name())

const note = async (command: string, line: string): Promise<void> => {
  if (serverNames.includes(command)) await reportAs(command, 'warn', line)
  else warn(line)
}
