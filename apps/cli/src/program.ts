import { createRequire } from 'node:module'
import { Command, Option } from 'commander'
import { apiKeysCommand } from './commands/api-keys.command.js'
import { apiCommand } from './commands/api.command.js'
import { batchCommand } from './commands/batch.command.js'
import { callCommand } from './commands/call.command.js'
import { configCommand } from './commands/config.command.js'
import { controlCommand } from './commands/control.command.js'
import { eventsCommand } from './commands/events.command.js'
import { inspectCommand } from './commands/inspect.command.js'
import { migrateCommand } from './commands/migrate.command.js'
import { modelsCommand } from './commands/models.command.js'
import { purgeCommand } from './commands/purge.command.js'
import { resultCommand } from './commands/result.command.js'
import { schedulesCommand } from './commands/schedules.command.js'
import { startCommand } from './commands/start.command.js'
import { statusCommand } from './commands/status.command.js'
import { usersCommand } from './commands/users.command.js'
import { webhooksCommand } from './commands/webhooks.command.js'
import { workerCommand } from './commands/worker.command.js'
import { warn } from './output.js'

/** The `memoryguard` command. Each subcommand loads what it needs when it runs, so that `--help` is quick. */
export function createProgram(): Command {
  const { version } = createRequire(import.meta.url)('#package.json') as { version: string }
  return new Command('memoryguard')
    .description('Asynchronous dementia-risk predictions. Decision support, not diagnosis.')
    .version(version)
    .addOption(new Option('-A, --app <name>').hideHelp())
    .on('option:app', () => warn('--app has no meaning here and is ignored'))
    .addCommand(startCommand())
    .addCommand(apiCommand())
    .addCommand(workerCommand())
    .addCommand(migrateCommand())
    .addCommand(configCommand())
    .addCommand(callCommand())
    .addCommand(batchCommand())
    .addCommand(resultCommand())
    .addCommand(eventsCommand())
    .addCommand(statusCommand())
    .addCommand(inspectCommand())
    .addCommand(controlCommand())
    .addCommand(purgeCommand())
    .addCommand(apiKeysCommand())
    .addCommand(webhooksCommand())
    .addCommand(modelsCommand())
    .addCommand(usersCommand())
    .addCommand(schedulesCommand())
}
