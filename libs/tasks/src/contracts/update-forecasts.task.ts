import { z } from 'zod'
import { defineTask } from './define-task.js'
import { entityId } from './process-prediction.task.js'

/** Most horizons of one forecast, and the furthest, in months. */
const maxHorizons = 60
const furthestMonths = 600

const months = `must be a number of months above 0, at most ${furthestMonths}`

/** Requested horizons of a forecast in months, in any order. */
export const horizonsMonths = z
  .array(z.number({ error: months }).positive({ error: months }).max(furthestMonths, { error: months }), {
    error: 'must be a list of numbers of months',
  })
  .min(1, { error: 'must name at least one horizon; leave it out for the usual ones' })
  .max(maxHorizons, { error: `must name at most ${maxHorizons} horizons` })

const score = z.number().min(0).max(30)
const probability = z.number().min(0).max(1)

/** The score to come at one time. The bands are central and hold at least 80 and 95 % of the distribution. */
export const forecastPoint = z.strictObject({
  months: z.number().describe('Months of 30.4375 days after the reference date'),
  at: z.iso.datetime(),
  mean: score,
  median: score,
  lower_80: score,
  upper_80: score,
  lower_95: score,
  upper_95: score,
  probability_below_24: probability,
  distribution: z.array(probability).describe('Probability of each score, 0 to 30'),
})

/** One dated score of the person. */
export const forecastVisit = z.strictObject({ at: z.iso.datetime(), value: score })

/** Progression of one person's score, from the measurements recorded of them. Decision support, not diagnosis. */
export const updateForecasts = defineTask({
  name: 'ml.update_forecasts',
  queue: 'forecasts',
  args: z.strictObject({ user_id: entityId, horizons_months: horizonsMonths.optional() }),
  result: z.strictObject({
    user_id: entityId,
    metric: z.string(),
    model: z.strictObject({ name: z.string(), version: z.string() }),
    reference_at: z.iso.datetime().describe('When the history was read; horizons count from here'),
    history: z.array(forecastVisit).describe('Oldest first'),
    points: z.array(forecastPoint),
    rate_per_year: z.number().describe('Expected change over the coming year, points; negative is decline'),
    basis: z.enum(['history', 'population']).describe('population: no score of this person is known'),
    visits_used: z.int(),
    warnings: z.array(z.string()),
  }),
})
