import { MemoryGuardError, withinTime, type Logger } from '#libs/platform'
import { CommandFault, type Command, type CommandParts, type Given } from './command.js'
import { controlCommands } from './control-commands.js'
import { inspectCommands } from './inspect-commands.js'
import { builtinError, exceptionRepr } from '../wire/exception.js'

const commands: ReadonlyMap<string, Command> = new Map(Object.entries({ ...inspectCommands, ...controlCommands }))

/** Callers wait for a second. */
const promptMs = 500
const late = Symbol('late')

/** Runs the commands of `celery inspect` and `celery control`; replies have the shape of Celery's. */
export class ControlPanel {
  constructor(
    private readonly parts: CommandParts,
    private readonly log: Logger,
  ) {}

  /** Resolves to the reply; an error is one too, in the words of Python. */
  readonly handle = async (method: string, given: Given): Promise<unknown> => {
    try {
      const command = commands.get(method)
      if (!command) return { error: exceptionRepr(builtinError('KeyError', method)) }
      checkArguments(method, command, given)
      if (command.isControl) this.log.info({ command: method }, 'Celery command received')
      return await this.run(method, command, given)
    } catch (error) {
      return { error: this.explain(error, method) }
    }
  }

  private async run(method: string, { run, lateReply }: Command, given: Given): Promise<unknown> {
    if (lateReply === undefined) return run(given, this.parts)
    let isLate = false
    const running = Promise.resolve(run(given, this.parts)).catch((error: unknown) => {
      if (!isLate) throw error
      this.log.error({ err: error, command: method }, 'Celery command failed after its reply')
    })
    const reply = await withinTime(running, promptMs, late)
    isLate = reply === late
    return isLate ? lateReply : reply
  }

  private explain(error: unknown, method: string): string {
    if (error instanceof CommandFault) return exceptionRepr(builtinError(error.type, error.message))
    if (error instanceof MemoryGuardError) return exceptionRepr(builtinError('ValueError', error.message))
    this.log.error({ err: error, command: method }, 'Celery command failed')
    return exceptionRepr(builtinError('RuntimeError', 'It failed; see the worker log.'))
  }
}

/** @throws {CommandFault} TypeError as Python's, for arguments that are missing or unknown. */
const checkArguments = (method: string, { takes = [], onlyOptions }: Command, given: Given): void => {
  const unknown = onlyOptions && Object.keys(given).find((name) => ![...takes, ...onlyOptions].includes(name))
  if (unknown !== undefined) {
    throw new CommandFault('TypeError', `${method}() got an unexpected keyword argument '${unknown}'`)
  }
  const missing = takes.filter((name) => !Object.hasOwn(given, name)).map((name) => `'${name}'`)
  if (missing.length === 0) return
  const noun = missing.length === 1 ? 'argument' : 'arguments'
  throw new CommandFault(
    'TypeError',
    `${method}() missing ${missing.length} required positional ${noun}: ${missing.join(' and ')}`,
  )
}
