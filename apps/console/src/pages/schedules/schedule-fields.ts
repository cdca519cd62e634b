import type { Schemas } from '../../api/client.ts'

type Schedule = Schemas['Schedule']

/** What is typed into the form of a schedule. */
export interface ScheduleFields {
  readonly name: string
  readonly task: string
  readonly args: string
  readonly kind: 'cron' | 'interval'
  readonly cron: string
  readonly timeZone: string
  readonly intervalSeconds: number | ''
  readonly catchUp: Schedule['catch_up']
  readonly queue: Schedule['queue'] | null
  readonly priority: number | ''
  readonly expiresSeconds: number | ''
}

/** The fields of a schedule, or of a new one. */
export const fieldsOf = (schedule: Schedule | undefined, localZone: string): ScheduleFields => ({
  name: schedule?.name ?? '',
  task: schedule?.task ?? '',
  args: JSON.stringify(schedule?.args ?? {}, null, 2),
  kind: schedule && schedule.cron === null ? 'interval' : 'cron',
  cron: schedule?.cron ?? '0 3 * * *',
  timeZone: schedule?.time_zone ?? (schedule ? 'UTC' : localZone),
  intervalSeconds: schedule?.interval_seconds ?? 3600,
  catchUp: schedule?.catch_up ?? 'one',
  queue: schedule?.queue ?? null,
  priority: schedule?.priority ?? 0,
  expiresSeconds: schedule?.expires_seconds ?? '',
})

/** The arguments, if they are a JSON object. */
export const argsOf = (text: string): Record<string, unknown> | undefined => {
  if (text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

/** The fields as the API takes them, apart from the name. */
export const bodyOf = (
  fields: ScheduleFields,
  args: Record<string, unknown>,
): Omit<Schemas['ScheduleRequest'], 'name' | 'is_paused'> => {
  const isCron = fields.kind === 'cron'
  return {
    task: fields.task.trim(),
    args,
    cron: isCron ? fields.cron.trim() : null,
    time_zone: isCron ? fields.timeZone : null,
    interval_seconds: isCron || fields.intervalSeconds === '' ? null : fields.intervalSeconds,
    catch_up: fields.catchUp,
    queue: fields.queue,
    priority: fields.priority === '' ? 0 : fields.priority,
    expires_seconds: fields.expiresSeconds === '' ? null : fields.expiresSeconds,
  }
}
