import { Command, Option } from 'commander'
import { CommandError } from '../command-error.js'
import { reportAs } from '../server-command.js'
import { translateWorkerFlags, workerFlags } from './worker-flags.js'

/** Flags of `celery worker` that mean nothing here: accepted, so that existing start scripts keep working. */
const ignoredFlags = [
  '-A, --app <name>',
  '-B, --beat',
  '-C, --no-color',
  '-D, --detach',
  '-f, --logfile <path>',
  '-I, --include <modules>',
  '-O, --optimization <profile>',
  '-s, --schedule-filename <path>',
  '-S, --statedb <path>',
  '--disable-prefetch',
  '--discard',
  '--executable <path>',
  '--gid <gid>',
  '--heartbeat-interval <seconds>',
  '--pidfile <path>',
  '--pool-start-method <method>',
  '--purge',
  '--quiet',
  '--schedule <path>',
  '--scheduler <name>',
  '--uid <uid>',
  '--umask <mask>',
  '--without-gossip',
  '--without-heartbeat',
  '--without-mingle',
  '--workdir <path>',
]

/** `memoryguard worker`: one worker in this process, with the flags of Celery. `note` receives a message for each flag without effect. */
export const workerCommand = (note: (line: string) => void): Command => {
  const command = new Command('worker').description('run a worker')
  for (const [flags, , description] of workerFlags) command.option(flags, description)
  for (const flags of ignoredFlags) {
    const option = new Option(flags).hideHelp()
    command.addOption(option)
    command.on(`option:${option.name()}`, () => note(`${option.long} has no meaning here and is ignored`))
  }
  return command.action(async (values: Record<string, unknown>) => {
    const { MemoryGuardError, loadConfig, queueNames, readEnvironment } = await import('#libs/platform')
    const { variables, warnings } = translateWorkerFlags(values, queueNames)
    for (const line of warnings) await reportAs('worker', 'warn', line)
    const env = Object.assign(readEnvironment(), variables)
    try {
      loadConfig(env)
    } catch (error) {
      if (!(error instanceof MemoryGuardError)) throw error
      const lines = error.faults.map(({ pointer, message }) => {
        const flag = pointer in variables && workerFlags.find(([, variable]) => variable === pointer)
        return `  ${flag ? flag[0] : pointer}: ${message}`
      })
      throw new CommandError(`The worker cannot start:\n${lines.join('\n')}`, { cause: error })
    }
    const { useRunningDatabase } = await import('../start/running-database.js')
    useRunningDatabase(env)
    const { runWorker } = await import('../../../worker/src/run-worker.js')
    await runWorker(env)
  })
}
