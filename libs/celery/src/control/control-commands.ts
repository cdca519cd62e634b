import { constants } from 'node:os'
import { noReply } from './celery-control.js'
import type { Stamps } from './celery-calls.js'
import { CommandFault, nok, ok, optionalNumber, textsOf, type Command, type Given } from './command.js'
import { pythonRepr } from '../wire/python-repr.js'

const revoke: Command = {
  isControl: true,
  takes: ['task_id'],
  run: async ({ task_id: taskId, terminate, signal }, { calls }) => {
    const ids = new Set(textsOf(taskId))
    if (terminate) checkSignal(signal)
    const taken = await calls.revoke([...ids], { terminate: Boolean(terminate) })
    if (!terminate) return ok(`tasks ${pythonRepr(ids)} flagged as revoked`)
    return ok(taken.length > 0 ? `terminate: ${taken.join(', ')}` : 'terminate: tasks unknown')
  },
}

/** Whatever the signal, what runs is asked to stop, and killed after a grace. @throws {CommandFault} for an unknown one. */
const checkSignal = (signal: unknown): void => {
  const name = typeof signal === 'string' ? `SIG${signal.toUpperCase().replace(/^SIG/, '')}` : undefined
  if (name === undefined || Object.hasOwn(constants.signals, name)) return
  throw new CommandFault('AttributeError', `module 'signal' has no attribute '${name}'`)
}

const revokeByStampedHeaders: Command = {
  isControl: true,
  takes: ['headers'],
  run: async ({ headers, terminate }, { calls }) => {
    const given = readHeaders(headers)
    const found = await calls.revokeStamped(stampsOf(given), { terminate: Boolean(terminate) })
    if (!terminate) return ok(`headers ${pythonRepr(given)} flagged as revoked, but not terminated`)
    if (Object.keys(found).length === 0) return ok(`headers ${pythonRepr(given)} were not terminated`)
    return ok(`headers defaultdict(<class 'set'>, ${reprOfFound(found)}) revoked`)
  },
}

/** The stamps that `revoke_by_stamped_headers` is given. @throws {CommandFault} for what are none. */
export const readStamps = (headers: unknown): Stamps => stampsOf(readHeaders(headers))

const stampsOf = (headers: Readonly<Record<string, unknown>>): Stamps =>
  Object.fromEntries(Object.entries(headers).map(([name, values]) => [name, textsOf(values)]))

/** `['name=value']` as the command line sends it, or an object. */
const readHeaders = (headers: unknown): Readonly<Record<string, unknown>> => {
  if (Array.isArray(headers)) return Object.fromEntries(textsOf(headers).map((header) => splitHeader(header)))
  if (typeof headers === 'object' && headers !== null) return { ...headers }
  throw new CommandFault('TypeError', 'headers must be a dictionary, or a list of key=value')
}

const splitHeader = (header: string): readonly [string, string] => {
  const [name = '', value] = header.split('=')
  if (value === undefined) throw new CommandFault('IndexError', 'list index out of range')
  return [name, value]
}

const reprOfFound = (found: Stamps): string =>
  `{${Object.entries(found)
    .map(([name, values]) => `${pythonRepr(name)}: ${pythonRepr(new Set(values))}`)
    .join(', ')}}`

const rateLimit: Command = {
  isControl: true,
  takes: ['task_name', 'rate_limit'],
  run: async ({ task_name: task, rate_limit: rate }, { worker }) => {
    if (!isTask(task, worker.tasks)) return nok('unknown task')
    try {
      await worker.limitRate(task, rateOf(rate))
    } catch (error) {
      if (!(error instanceof CommandFault)) throw error
      return nok(`Invalid rate limit string: ${error.type}(${pythonRepr(error.message)})`)
    }
    return ok(rate ? 'new rate limit set successfully' : 'rate limit disabled successfully')
  },
}

/** Celery takes texts and numbers, and nothing for no limit. @throws {CommandFault} TypeError for anything else. */
const rateOf = (rate: unknown): string => {
  if (!rate) return '0'
  if (typeof rate === 'string' || typeof rate === 'number') return String(rate)
  throw new CommandFault('TypeError', 'rate_limit must be a text or a number')
}

const timeLimit: Command = {
  isControl: true,
  run: async ({ task_name: task, soft, hard }, { worker }) => {
    if (!isTask(task, worker.tasks)) return nok('unknown task')
    await worker.limitTime(task, { soft: optionalNumber(soft, 'soft'), hard: optionalNumber(hard, 'hard') })
    return ok('time limits set successfully')
  },
}

const isTask = (name: unknown, tasks: readonly string[]): name is string =>
  typeof name === 'string' && tasks.includes(name)

const resize = (word: 'grow' | 'shrink', sign: 1 | -1): Command => ({
  isControl: true,
  lateReply: ok(`pool will ${word}`),
  run: async ({ n }, { worker }) => {
    if (worker.isAutoscaled) {
      return nok(`pool_${word} is not supported with autoscale. Adjust autoscale range instead.`)
    }
    await worker.resize(sign * (optionalNumber(n, 'n') ?? 1))
    return ok(`pool will ${word}`)
  },
})

const autoscale: Command = {
  isControl: true,
  onlyOptions: ['max', 'min'],
  run: ({ max, min }, { worker }) => {
    if (!worker.isAutoscaled) throw new CommandFault('ValueError', 'Autoscale not enabled')
    const now = worker.autoscale(optionalNumber(max, 'max'), optionalNumber(min, 'min'))
    return ok(`autoscale now max=${now.max} min=${now.min}`)
  },
}

const queueOf = ({ queue }: Given): string => {
  if (typeof queue === 'string' && queue !== '') return queue
  throw new CommandFault('TypeError', 'queue must be a name')
}

/** Turns the events of tasks on or off. */
const taskEvents = (isOn: boolean): Command => {
  const word = isOn ? 'enabled' : 'disabled'
  return {
    onlyOptions: [],
    run: (_given, { events }) => ok(events.sendTasks(isOn) ? `task events ${word}` : `task events already ${word}`),
  }
}

/** The commands of `celery control`. */
export const controlCommands: Readonly<Record<string, Command>> = {
  revoke,
  revoke_by_stamped_headers: revokeByStampedHeaders,
  terminate: {
    isControl: true,
    takes: ['signal', 'task_id'],
    run: ({ task_id: taskId, signal }, parts) => revoke.run({ task_id: taskId, signal, terminate: true }, parts),
  },
  rate_limit: rateLimit,
  time_limit: timeLimit,
  pool_grow: resize('grow', 1),
  pool_shrink: resize('shrink', -1),
  pool_restart: {
    isControl: true,
    lateReply: ok('reload started'),
    run: async (_given, { worker }) => {
      await worker.restartPool()
      return ok('reload started')
    },
  },
  autoscale,
  add_consumer: {
    isControl: true,
    takes: ['queue'],
    run: async (given, { calls }) => {
      await calls.addQueue(queueOf(given))
      return ok(`add consumer ${queueOf(given)}`)
    },
  },
  cancel_consumer: {
    isControl: true,
    takes: ['queue'],
    run: async (given, { calls }) => {
      await calls.cancelQueue(queueOf(given))
      return ok(`no longer consuming from ${queueOf(given)}`)
    },
  },
  enable_events: taskEvents(true),
  disable_events: taskEvents(false),
  heartbeat: {
    onlyOptions: [],
    run: async (_given, { events }) => {
      await events.beat()
      return null
    },
  },
  // Celery's workers agree on one of them; we are never the one.
  election: { takes: ['id', 'topic'], run: () => null },
  shutdown: {
    isControl: true,
    run: async (_given, { worker }) => {
      await worker.shutDown()
      return noReply
    },
  },
}
