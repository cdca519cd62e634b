import { queueNames } from '#libs/platform'
import { taskStates, terminalStates } from '#libs/tasks/contracts'
import { z } from 'zod'
import { plainText } from '../http/plain-text.js'
import { strictInput } from '../http/strict-input.js'
import { duration } from '../http/times.js'
import { taskName } from '../tasks/task-name.js'

/** Most points of a series. */
export const maxPoints = 720

const instantInput = z.iso.datetime({ offset: true, error: 'must be an ISO 8601 time with a zone' })

export const seriesQuery = strictInput({
  range: duration.optional().describe('How far back from `to`: 15m, 6h, 30d. Instead of `from`; 1h without both'),
  from: instantInput.optional(),
  to: instantInput.optional().describe('Now if it is absent'),
  step: duration
    .optional()
    .describe(`Width of a point, from 1m on; whole minutes, hours or days. At most ${maxPoints} points`),
  group: z.enum(['none', 'queue', 'name', 'outcome', 'model']).default('none').describe('One series for each value'),
  queue: z.enum(queueNames).optional(),
  name: taskName.optional(),
  model: plainText(200).optional().describe('`name@version`'),
  outcome: z.enum([...terminalStates]).optional(),
})

export type SeriesQuery = z.infer<typeof seriesQuery>

const instant = z.iso.datetime()
const count = z.int().nullable()
const seconds = z.number().nullable()

const durations = z
  .strictObject({
    samples: z.int(),
    mean_seconds: z.number(),
    p50_seconds: z.number(),
    p95_seconds: z.number(),
    p99_seconds: z.number(),
  })
  .describe('From fixed bins a factor of 1.41 wide, so that a percentile is at most 19 % off')
  .meta({ id: 'StatisticsDurations' })

const gauges = z
  .strictObject({
    waiting: z.number().describe('Mean of the samples, one each 10 s'),
    waiting_max: z.int(),
    scheduled_max: z.int(),
    running: z.number(),
    running_max: z.int(),
    oldest_waiting_seconds: z.number().describe('Most of the samples'),
    consumers_min: z.int(),
    slots_max: z.int(),
    busy: z.number(),
    busy_max: z.int(),
    paused: z.boolean().describe('In at least one sample'),
  })
  .meta({ id: 'StatisticsGauges' })

const point = z
  .strictObject({
    at: instant.describe('Start of the point'),
    partial: z.boolean().describe('More tasks may still be counted in it'),
    tasks: count.describe('Ended tasks; null where nothing was counted'),
    outcomes: z.partialRecord(z.enum([...terminalStates]), z.int()).nullable(),
    retries: count.describe('Further attempts of those tasks'),
    rate_per_second: z.number().nullable(),
    wait: durations.nullable().describe('From when a task could start to its start'),
    run: durations.nullable().describe('From the last start to the end'),
    run_max_seconds: seconds,
    gauges: gauges.nullable().describe('Of one queue: with `group=queue`, or with `queue`; null without samples'),
  })
  .meta({ id: 'StatisticsPoint' })

export type StatisticsPoint = z.infer<typeof point>

export const seriesResponse = z
  .strictObject({
    from: instant,
    to: instant,
    step_seconds: z.int(),
    group: z.enum(['none', 'queue', 'name', 'outcome', 'model']),
    counted_from: instant.nullable().describe('Start of the statistics'),
    counted_until: instant.nullable().describe('Every task that ended before is counted'),
    partial_from: instant.nullable().describe('Start of the first point that is not complete'),
    series: z.array(z.strictObject({ labels: z.record(z.string(), z.string()), points: z.array(point) })),
  })
  .meta({ id: 'StatisticsSeries' })

export type SeriesResponse = z.infer<typeof seriesResponse>

const queueNow = z
  .strictObject({
    name: z.enum(queueNames),
    paused: z.boolean(),
    problem: z
      .enum(['paused', 'no_consumers'])
      .nullable()
      .describe('Why tasks wait: the queue is paused, or no live worker consumes it'),
    waiting: z.int(),
    depth: z.partialRecord(z.enum(taskStates), z.int()),
    oldest_waiting_seconds: seconds,
    rate_per_second: z.number(),
    wait_p95_seconds: seconds,
    run_p95_seconds: seconds,
    consumers: z.int(),
    slots: z.int(),
    busy: z.int(),
  })
  .meta({ id: 'QueueNow' })

export const nowResponse = z
  .strictObject({
    at: instant,
    waiting: z.int(),
    running: z.int(),
    rate_per_second: z.number(),
    counted_until: instant.nullable(),
    queues: z.array(queueNow),
  })
  .meta({ id: 'StatisticsNow' })

export type NowResponse = z.infer<typeof nowResponse>
