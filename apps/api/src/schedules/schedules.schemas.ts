import { catchUpPolicies } from '#libs/database'
import { queueNames } from '#libs/platform'
import { maxCaughtUp, maxPriority } from '#libs/tasks'
import { taskStates } from '#libs/tasks/contracts'
import { z } from 'zod'
import { strictInput } from '../http/strict-input.js'
import { celeryState } from '../tasks/tasks.schemas.js'

const instant = z.iso.datetime()
/** Ten years; a longer interval is a mistake. */
const maxSeconds = 315_360_000
const seconds = z
  .int({ error: 'must be a whole number of seconds' })
  .min(1, `must be from 1 to ${maxSeconds}`)
  .max(maxSeconds, `must be from 1 to ${maxSeconds}`)

const scheduleName = z
  .string()
  .regex(/^[A-Za-z][\w.-]{0,119}$/, 'must begin with a letter, of up to 120 letters, digits, _, . and -')
  .refine((name) => !z.uuid().safeParse(name).success, 'must not look like an id')

/** The id or the name of a schedule, in a path. */
export const scheduleKey = z.union([z.uuid(), scheduleName], { error: 'must be the id or the name of a schedule' })

const settings = {
  task: z.string().max(128).describe('Name of the task, for example `ml.update_forecasts`'),
  args: z
    .record(z.string(), z.unknown(), { error: 'must be an object' })
    .describe('Arguments, as the contract of the task has them; without health metrics'),
  cron: z
    .string({ error: 'must be text' })
    .max(256)
    .nullable()
    .describe('Minute, hour, day, month, weekday, with seconds before them if wanted; or such as `@daily`'),
  time_zone: z
    .string({ error: 'must be text' })
    .max(64)
    .nullable()
    .describe('Time zone of `cron`, such as `Europe/Berlin`. Default: UTC'),
  interval_seconds: seconds.nullable().describe('Instead of `cron`: every so many seconds from now on'),
  catch_up: z
    .enum(catchUpPolicies, { error: `must be one of ${catchUpPolicies.join(', ')}` })
    .describe(
      `Of the times at which no worker was there to run it: run none, the newest, or all (the last ${maxCaughtUp})`,
    ),
  is_paused: z.boolean({ error: 'must be true or false' }).describe('Runs nothing until it is resumed'),
  queue: z
    .enum(queueNames, { error: `must be one of ${queueNames.join(', ')}` })
    .nullable()
    .describe("Default: the task's own"),
  priority: z
    .int({ error: 'must be a whole number' })
    .min(0)
    .max(maxPriority)
    .describe('0 is the default; a smaller number goes first'),
  expires_seconds: seconds.nullable().describe('Do not start a task of it that has waited this long'),
}

/** `POST /v1/schedules` */
export const scheduleRequest = strictInput({
  name: scheduleName.describe('Names it in paths and commands'),
  ...settings,
  args: settings.args.default({}),
  cron: settings.cron.default(null),
  time_zone: settings.time_zone.default(null),
  interval_seconds: settings.interval_seconds.default(null),
  catch_up: settings.catch_up.default('one'),
  is_paused: settings.is_paused.default(false),
  queue: settings.queue.default(null),
  priority: settings.priority.default(0),
  expires_seconds: settings.expires_seconds.default(null),
}).meta({
  id: 'ScheduleRequest',
  examples: [
    {
      name: 'forecast-of-123',
      task: 'ml.update_forecasts',
      args: { user_id: 123 },
      cron: '30 2 * * mon',
      time_zone: 'Europe/Berlin',
    },
    { name: 'canary', task: 'ml.health_check', interval_seconds: 60, catch_up: 'none', expires_seconds: 60 },
  ],
})

export type ScheduleRequest = z.infer<typeof scheduleRequest>

/** `PATCH /v1/schedules/{id}`: what is left out stays. */
export const scheduleChange = strictInput({
  task: settings.task.optional(),
  args: settings.args.optional(),
  cron: settings.cron.optional(),
  time_zone: settings.time_zone.optional(),
  interval_seconds: settings.interval_seconds.optional(),
  catch_up: settings.catch_up.optional(),
  is_paused: settings.is_paused.optional(),
  queue: settings.queue.optional(),
  priority: settings.priority.optional(),
  expires_seconds: settings.expires_seconds.optional(),
}).meta({ id: 'ScheduleChange', examples: [{ cron: '0 3 * * *' }, { is_paused: true }] })

export type ScheduleChange = z.infer<typeof scheduleChange>

/** A schedule as an item of a list. */
export const scheduleResponse = z
  .strictObject({
    id: z.uuid(),
    name: z.string(),
    ...settings,
    queue: z.enum(queueNames),
    next_run_at: instant.nullable().describe('Null while it is paused'),
    next_runs: z.array(instant).describe('The next three times'),
    last_run_at: instant.nullable().describe('The last of its times that ran'),
    last_task_id: z.uuid().nullable(),
    created_at: instant,
    updated_at: instant,
  })
  .meta({ id: 'Schedule' })

export type ScheduleResponse = z.infer<typeof scheduleResponse>

/** A schedule with what it did lately. */
export const scheduleDetail = scheduleResponse
  .extend({
    recent_runs: z
      .array(z.strictObject({ at: instant, task_id: z.uuid(), state: z.enum(taskStates), celery_state: celeryState }))
      .describe('Its last tasks, newest first'),
  })
  .meta({ id: 'ScheduleDetail' })

export type ScheduleDetail = z.infer<typeof scheduleDetail>

export const schedulePage = z
  .strictObject({ items: z.array(scheduleResponse), next_cursor: z.string().nullable() })
  .meta({ id: 'SchedulePage' })

export const scheduleQuery = strictInput({
  cursor: z.string().max(120).optional().describe('A `next_cursor` of an earlier page'),
  // The next times of each are computed: 0.15 ms.
  limit: z.coerce.number().int().min(1).max(100).default(50),
})

export type ScheduleQuery = z.infer<typeof scheduleQuery>
