import { arch, release, type as systemName } from 'node:os'
import { productVersion } from '#libs/platform'
import { CommandFault, ok, textsOf, type Command, type CommandParts } from './command.js'
import { revokedIds } from './pidbox.js'
import { pythonRepr } from '../wire/python-repr.js'
import { shownCall, shownQueue, shownScheduledCall } from './shown-calls.js'

const active: Command = {
  run: async ({ safe }, { name, calls }) =>
    (await calls.listActive()).map((call) => shownCall(name, call, safe === true)),
}
const reserved: Command = {
  run: async (_given, { name, calls }) => (await calls.listReserved()).map((call) => shownCall(name, call)),
}
const scheduled: Command = {
  run: async (_given, { name, calls }) => (await calls.listScheduled()).map((call) => shownScheduledCall(name, call)),
}
const revoked: Command = { run: (_given, { calls }) => calls.listRevoked() }
const conf: Command = { run: (_given, { worker }) => worker.settings }

const registered: Command = {
  run: ({ taskinfoitems }, { worker }) => {
    const asked = textsOf(taskinfoitems)
    const items = asked.length > 0 ? asked : ['exchange', 'routing_key', 'rate_limit']
    return worker.tasks.map((task) => {
      const attributes = worker.attributesOf(task)
      const shown = items.flatMap((item) =>
        Object.hasOwn(attributes, item) ? [`${item}=${textOf(attributes[item])}`] : [],
      )
      return shown.length > 0 ? `${task} [${shown.join(' ')}]` : task
    })
  },
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : pythonRepr(value))

/** Celery's workers ask each other when they start, so that all know what is revoked. */
const hello: Command = {
  takes: ['from_node'],
  run: async ({ from_node: from, revoked }, { name, calls, clock }) => {
    if (from === name) return null
    const theirs = revokedIds(revoked)
    if (theirs.length > 0) await calls.revoke(theirs, { terminate: false })
    return { revoked: await calls.listRevoked(), clock: clock.forward() }
  },
}

const stats: Command = {
  run: (_given, { worker, calls, clock }) => ({
    ...worker.readStatistics(),
    clock: String(clock.value),
    prefetch_count: calls.prefetchCount,
  }),
}

const queryTask: Command = {
  takes: ['ids'],
  run: async ({ ids }, { name, calls }) => {
    const found = await calls.find(textsOf(ids))
    return Object.fromEntries(found.map((call) => [call.id, [call.state, shownCall(name, call)]]))
  },
}

const report = ({ worker }: CommandParts): string => {
  const { settings } = worker
  const lines = Object.entries(settings).map(([key, value]) => `${key}: ${pythonRepr(value)}`)
  return `
software -> memoryguard:${productVersion} node:${process.versions.node}
platform -> system:${systemName()} arch:${arch()}
            kernel version:${release()} imp:V8 ${process.versions.v8}
settings -> transport:redis results:${textOf(settings['result_backend'])}

${lines.join('\n')}
`
}

const residentMemory = (): string => `${(process.memoryUsage.rss() / 1024 / 1024).toFixed(2)}MB`

/** The commands of `celery inspect`, with the names that older versions of Celery gave them. */
export const inspectCommands: Readonly<Record<string, Command>> = {
  ping: { run: () => ok('pong') },
  clock: { run: (_given, { clock }) => ({ clock: clock.value }) },
  report: { onlyOptions: [], run: (_given, parts) => ok(report(parts)) },
  conf,
  dump_conf: conf,
  stats,
  hello,
  active,
  dump_active: active,
  reserved,
  dump_reserved: reserved,
  scheduled,
  dump_schedule: scheduled,
  revoked,
  dump_revoked: revoked,
  registered,
  dump_tasks: registered,
  query_task: queryTask,
  active_queues: { onlyOptions: [], run: (_given, { calls }) => calls.queues.map(shownQueue) },
  memsample: { run: residentMemory },
  memdump: { run: () => `- rss (end): ${residentMemory()}.\n` },
  objgraph: {
    onlyOptions: ['num', 'max_depth', 'type'],
    run: () => {
      throw new CommandFault('ImportError', 'Requires the objgraph library')
    },
  },
}
