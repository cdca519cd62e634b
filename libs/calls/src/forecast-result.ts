import type { ForecastEntity } from '#libs/database'
import type { updateForecasts } from '#libs/tasks/contracts'
import type { z } from 'zod'

/** The public form of a stored forecast, which is also the result of its task. */
export const toForecastResult = (forecast: ForecastEntity): z.infer<typeof updateForecasts.result> => {
  const [name = '', version = ''] = forecast.model.split('@')
  return {
    user_id: Number(forecast.userId),
    metric: forecast.metric,
    model: { name, version },
    reference_at: forecast.referenceAt.toISOString(),
    history: [...forecast.history],
    points: forecast.points.map((point) => ({ ...point, distribution: [...point.distribution] })),
    rate_per_year: forecast.ratePerYear,
    basis: forecast.basis,
    visits_used: forecast.history.length,
    warnings: [...forecast.warnings],
  }
}
