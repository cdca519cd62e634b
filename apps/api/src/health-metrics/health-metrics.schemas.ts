import { entityId, healthMetrics } from '#libs/tasks/contracts'
import { z } from 'zod'
import { strictInput } from '../http/strict-input.js'

const earliest = Date.UTC(1900, 0, 1)
const latest = Date.UTC(9999, 11, 31)
/** A measurement of this moment may carry the time of a clock that goes a little fast. */
const clockToleranceMs = 60_000

const recordedAt = z
  .union([z.iso.date(), z.iso.datetime({ offset: true }), z.iso.datetime({ offset: true, precision: -1 })], {
    error: 'must be a day such as 2025-03-01, or a time with its offset such as 2025-03-01T09:30:00Z',
  })
  .refine((text) => Date.parse(text) <= Date.now() + clockToleranceMs, {
    error: 'must not lie in the future; a day begins at midnight UTC',
  })
  .refine((text) => Date.parse(text) >= earliest, { error: 'must not lie before the year 1900' })

/** `POST /v1/users/{user_id}/health-metrics` */
export const measurementRequest = strictInput({
  recorded_at: recordedAt.describe('When it was measured: a day (midnight UTC) or a time with its offset'),
  health_metrics: healthMetrics.describe("A metric's name to its value"),
}).meta({
  id: 'MeasurementRequest',
  example: { recorded_at: '2025-03-01', health_metrics: { mmse_score: 27, age: 72, sex: 'female' } },
})

export type MeasurementRequest = z.infer<typeof measurementRequest>

/** What was measured of a person at one time. */
export const measurementResponse = z
  .strictObject({
    id: entityId,
    user_id: entityId,
    recorded_at: z.iso.datetime(),
    health_metrics: z.record(z.string(), z.number()),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Measurement' })

export type MeasurementResponse = z.infer<typeof measurementResponse>

export const measurementPage = z
  .strictObject({ items: z.array(measurementResponse), next_cursor: z.string().nullable() })
  .meta({ id: 'MeasurementPage' })

export type MeasurementPage = z.infer<typeof measurementPage>

export const measurementQuery = strictInput({
  cursor: z
    .string()
    .regex(/^-?\d{1,15}$/, 'must be a `next_cursor` of an earlier page')
    .refine((text) => Number(text) >= earliest && Number(text) <= latest, 'must be a `next_cursor` of an earlier page')
    .optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
})

export type MeasurementQuery = z.infer<typeof measurementQuery>
