import { Command, Option } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import { print, printJson } from '../output.js'
import { withConnection } from './connection-options.js'
import { parseJson, parseNumber } from './parse-flags.js'

type Flags = ConnectionFlags & { readonly json?: true }

type SettingFlags = Flags & {
  readonly task?: string
  readonly args?: unknown
  readonly cron?: string
  readonly timeZone?: string
  readonly interval?: number
  readonly catchUp?: string
  readonly queue?: string
  readonly priority?: number
  readonly expires?: number
  readonly paused?: true
}

/** A schedule as the API tells of it. */
interface ScheduleRow {
  readonly name: string
  readonly task: string
  readonly args: unknown
  readonly cron: string | null
  readonly time_zone: string | null
  readonly interval_seconds: number | null
  readonly catch_up: string
  readonly is_paused: boolean
  readonly queue: string
  readonly next_runs: readonly string[]
  readonly last_run_at: string | null
}

type ScheduleDetail = ScheduleRow & {
  readonly recent_runs: readonly { readonly at: string; readonly task_id: string; readonly state: string }[]
}

/** `memoryguard schedules`: tasks that are sent again and again, as Celery beat did. */
export function schedulesCommand(): Command {
  return new Command('schedules')
    .description('list, make, change and run periodic tasks')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(createCommand())
    .addCommand(updateCommand())
    .addCommand(pauseCommand('pause', 'run nothing until it is resumed', true))
    .addCommand(pauseCommand('resume', 'run it again, from its next time on', false))
    .addCommand(runCommand())
    .addCommand(deleteCommand())
}

function listCommand(): Command {
  const command = new Command('list').description('list the schedules with their next times')
  return withConnection(command).action(async (flags: Flags) => {
    const { connect } = await import('../client/connect.js')
    const client = connect(flags)
    const items: ScheduleRow[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const from: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const { body } = await client.send({ path: `/v1/schedules?limit=100${from}` })
      const page = body as { readonly items: readonly ScheduleRow[]; readonly next_cursor: string | null }
      items.push(...page.items)
      cursor = page.next_cursor
    }
    if (flags.json) return printJson({ items })
    for (const schedule of items) {
      const {
        name,
        task,
        next_runs: [next = 'none'],
        is_paused: isPaused,
      } = schedule
      print([name.padEnd(24), task.padEnd(26), timingOf(schedule).padEnd(32), isPaused ? 'paused' : next].join(' '))
    }
  })
}

function showCommand(): Command {
  const command = new Command('show')
    .description('show a schedule with its last tasks')
    .argument('<name>', 'name or id')
  return withConnection(command).action(async (name: string, flags: Flags) => {
    const { connect } = await import('../client/connect.js')
    const { body } = await connect(flags).send({ path: pathOf(name) })
    if (flags.json) return printJson(body)
    const schedule = body as ScheduleDetail
    show(schedule)
    for (const { at, task_id: taskId, state } of schedule.recent_runs) print(`  ran ${at}  ${taskId}  ${state}`)
  })
}

function createCommand(): Command {
  const command = new Command('create').description('make a schedule').argument('<name>', 'its name')
  return withSettings(command)
    .option('--paused', 'do not start it yet')
    .action(async (name: string, flags: SettingFlags) => {
      const { connect } = await import('../client/connect.js')
      const body = { name, ...toSettings(flags), is_paused: flags.paused }
      showAnswer(await connect(flags).send({ method: 'POST', path: '/v1/schedules', body }), flags)
    })
}

function updateCommand(): Command {
  const command = new Command('update')
    .description('change a schedule; new times count from now')
    .argument('<name>', 'name or id')
  return withSettings(command).action(async (name: string, flags: SettingFlags) => {
    const { connect } = await import('../client/connect.js')
    showAnswer(await connect(flags).send({ method: 'PATCH', path: pathOf(name), body: toSettings(flags) }), flags)
  })
}

function pauseCommand(verb: string, description: string, isPaused: boolean): Command {
  const command = new Command(verb).description(description).argument('<name>', 'name or id')
  return withConnection(command).action(async (name: string, flags: Flags) => {
    const { connect } = await import('../client/connect.js')
    const body = { is_paused: isPaused }
    showAnswer(await connect(flags).send({ method: 'PATCH', path: pathOf(name), body }), flags)
  })
}

function runCommand(): Command {
  const command = new Command('run')
    .description('run a schedule now, apart from its times')
    .argument('<name>', 'name or id')
  return withConnection(command).action(async (name: string, flags: Flags) => {
    const { connect } = await import('../client/connect.js')
    const { body } = await connect(flags).send({ method: 'POST', path: `${pathOf(name)}/run` })
    if (flags.json) return printJson(body)
    const { id, state } = body as { readonly id: string; readonly state: string }
    print(`${id}  ${state}`)
  })
}

function deleteCommand(): Command {
  const command = new Command('delete')
    .description('delete a schedule; the tasks that it has sent stay')
    .argument('<name>', 'name or id')
  return withConnection(command).action(async (name: string, flags: Flags) => {
    const { connect } = await import('../client/connect.js')
    await connect(flags).send({ method: 'DELETE', path: pathOf(name) })
    if (flags.json) printJson({ name, deleted: true })
    else print(`${name} is deleted.`)
  })
}

function withSettings(command: Command): Command {
  command
    .option('-t, --task <task>', 'name of the task, for example ml.update_forecasts')
    .option('-a, --args <json>', 'its arguments, as a JSON object', parseJson)
    .option('--cron <pattern>', 'minute hour day month weekday, for example "30 2 * * mon"')
    .option('--time-zone <zone>', 'time zone of --cron, for example Europe/Berlin (default: UTC)')
    .option('--interval <seconds>', 'instead of --cron: every so many seconds', parseNumber)
    .addOption(
      new Option('--catch-up <policy>', 'what to run of the times that were missed').choices(['none', 'one', 'all']),
    )
    .option('-Q, --queue <queue>', "queue, if not the task's own")
    .option('--priority <number>', 'smaller goes first', parseNumber)
    .option('--expires <seconds>', 'do not start a task that has waited this long', parseNumber)
  return withConnection(command)
}

/** What is not given is left out of the request. */
const toSettings = (flags: SettingFlags) => ({
  task: flags.task,
  args: flags.args,
  cron: flags.cron,
  time_zone: flags.timeZone,
  interval_seconds: flags.interval,
  catch_up: flags.catchUp,
  queue: flags.queue,
  priority: flags.priority,
  expires_seconds: flags.expires,
})

const pathOf = (name: string): string => `/v1/schedules/${encodeURIComponent(name)}`

const timingOf = ({ cron, time_zone: zone, interval_seconds: interval }: ScheduleRow): string =>
  cron === null ? `every ${interval} s` : `${cron} (${zone})`

function showAnswer({ body }: { readonly body: unknown }, { json }: Flags): void {
  if (json) printJson(body)
  else show(body as ScheduleRow)
}

function show(schedule: ScheduleRow): void {
  const { name, task, args, queue, catch_up: catchUp, is_paused: isPaused, next_runs: next } = schedule
  print(`${name}: ${task} ${JSON.stringify(args)} to ${queue}, ${timingOf(schedule)}, catch-up ${catchUp}`)
  print(`  last ${schedule.last_run_at ?? 'never'}, next ${isPaused ? 'none: it is paused' : next.join(', ')}`)
}
