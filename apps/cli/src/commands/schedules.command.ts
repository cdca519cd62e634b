import { Command, Option } from 'commander'
import { callsApi, group, path, sends } from './api-command.js'
import { parseJson, parseNumber } from './parse-flags.js'

interface SettingFlags {
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

/** A schedule as the API shows it. */
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

const ofSchedule = (name: string, description: string, argument = 'name or id'): Command =>
  new Command(name).description(description).argument('<name>', argument)

const withSettings = (command: Command): Command =>
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

const timingOf = ({ cron, time_zone: zone, interval_seconds: interval }: ScheduleRow): string =>
  cron === null ? `every ${interval} s` : `${cron} (${zone})`

const rowOf = (schedule: ScheduleRow): string => {
  const { name, task, is_paused: isPaused } = schedule
  const next = isPaused ? 'paused' : (schedule.next_runs[0] ?? 'none')
  return [name.padEnd(24), task.padEnd(26), timingOf(schedule).padEnd(32), next].join(' ')
}

const show = (schedule: ScheduleRow): string[] => {
  const { name, task, args, queue, catch_up: catchUp, is_paused: isPaused, next_runs: next } = schedule
  return [
    `${name}: ${task} ${JSON.stringify(args)} to ${queue}, ${timingOf(schedule)}, catch-up ${catchUp}`,
    `  last ${schedule.last_run_at ?? 'never'}, next ${isPaused ? 'none: it is paused' : next.join(', ')}`,
  ]
}

const listCommand = (): Command =>
  callsApi(new Command('list').description('list the schedules with their next times'), async (client) => {
    const items: ScheduleRow[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const from: string = cursor === '' ? '' : path`&cursor=${cursor}`
      const { body } = await client.send({ path: `/v1/schedules?limit=100${from}` })
      const page = body as { readonly items: readonly ScheduleRow[]; readonly next_cursor: string | null }
      items.push(...page.items)
      cursor = page.next_cursor
    }
    return { json: { items }, lines: items.map(rowOf) }
  })

const pauseCommand = (verb: string, description: string, isPaused: boolean): Command =>
  sends(ofSchedule(verb, description), {
    request: ([name]: [string]) => ({
      method: 'PATCH',
      path: path`/v1/schedules/${name}`,
      body: { is_paused: isPaused },
    }),
    show,
  })

/** `memoryguard schedules`: tasks that are submitted again and again, as Celery beat did. */
export const schedulesCommand = (): Command =>
  group('schedules', 'list, make, change and run periodic tasks', [
    listCommand(),
    sends(ofSchedule('show', 'show a schedule with its last tasks'), {
      request: ([name]: [string]) => ({ path: path`/v1/schedules/${name}` }),
      show: (schedule: ScheduleDetail) => [
        ...show(schedule),
        ...schedule.recent_runs.map(({ at, task_id: id, state }) => `  ran ${at}  ${id}  ${state}`),
      ],
    }),
    sends(withSettings(ofSchedule('create', 'make a schedule', 'its name')).option('--paused', 'do not start it yet'), {
      request: ([name]: [string], flags: SettingFlags) => ({
        method: 'POST',
        path: '/v1/schedules',
        body: { name, ...toSettings(flags), is_paused: flags.paused },
      }),
      show,
    }),
    sends(withSettings(ofSchedule('update', 'change a schedule; new times count from now')), {
      request: ([name]: [string], flags: SettingFlags) => ({
        method: 'PATCH',
        path: path`/v1/schedules/${name}`,
        body: toSettings(flags),
      }),
      show,
    }),
    pauseCommand('pause', 'run nothing until it is resumed', true),
    pauseCommand('resume', 'run it again, from its next time on', false),
    sends(ofSchedule('run', 'run a schedule now, apart from its times'), {
      request: ([name]: [string]) => ({ method: 'POST', path: path`/v1/schedules/${name}/run` }),
      show: ({ id, state }: { readonly id: string; readonly state: string }) => [`${id}  ${state}`],
    }),
    sends(ofSchedule('delete', 'delete a schedule; the tasks that it has submitted stay'), {
      request: ([name]: [string]) => ({ method: 'DELETE', path: path`/v1/schedules/${name}` }),
      show: (_, [name]) => [`${name} is deleted.`],
      json: ([name]) => ({ name, deleted: true }),
    }),
  ])
