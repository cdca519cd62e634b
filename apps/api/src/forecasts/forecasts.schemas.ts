import { entityId, horizonsMonths, taskStates, updateForecasts } from '#libs/tasks/contracts'
import { z } from 'zod'
import { strictInput } from '../http/strict-input.js'
import { celeryStates } from '../predictions/predictions.schemas.js'

/** `POST /v1/users/{user_id}/forecasts`; the body may be left out. */
export const forecastRequest = strictInput({
  horizons_months: horizonsMonths.optional().describe('Default: those of the model, 6, 12 and 24'),
})
  .default({})
  .meta({ id: 'ForecastRequest', examples: [{}, { horizons_months: [6, 12, 24, 36] }] })

export type ForecastSubmission = z.infer<typeof forecastRequest>

const { metric, model, reference_at, history, points, rate_per_year, basis, visits_used, warnings } =
  updateForecasts.result.shape

/** A forecast with the state of its task; what it says is there when the state is `succeeded`. */
export const forecastResponse = z
  .strictObject({
    user_id: entityId,
    state: z.enum(taskStates),
    celery_state: z.enum(celeryStates),
    metric,
    reference_at: reference_at.nullable(),
    history: history.nullable(),
    points: points.nullable(),
    rate_per_year: rate_per_year.nullable(),
    basis: basis.nullable(),
    visits_used: visits_used.nullable(),
    warnings,
    model: model.nullable(),
    disclaimer: z.string(),
    error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
    task_id: z.uuid(),
    created_at: z.iso.datetime(),
    completed_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Forecast' })

export type ForecastResponse = z.infer<typeof forecastResponse>
