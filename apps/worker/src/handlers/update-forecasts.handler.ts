import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  ForecastRepository,
  HealthMetricsRepository,
  ModelActivationRepository,
  type MadeForecast,
  type MeasuredHistory,
} from '#libs/database'
import { metricsOfForecast, ModelRegistry, requestFromMeasurements, type LoadedForecaster } from '#libs/ml'
import type { Settled } from '#libs/platform'
import { updateForecasts, type ArgsOf } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import type { Computed, StartedTask, TaskContext, TaskHandler } from '../execution/task-handler.js'

/** Most measurements that one forecast reads; further back they would change nothing. */
const maxMeasurements = 1_000

type Args = ArgsOf<typeof updateForecasts>
type Forecast = Omit<MadeForecast, 'taskId' | 'attempt'>

/**
 * Forecasts people's scores from their recorded measurements. The arithmetic takes less than a round trip to a compute
 * child would, so it runs here; the histories of a batch are read by one statement.
 */
@Injectable()
export class UpdateForecastsHandler implements TaskHandler<typeof updateForecasts, Forecast> {
  readonly contract = updateForecasts

  constructor(
    private readonly models: ModelRegistry,
    private readonly activations: ModelActivationRepository,
    private readonly measurements: HealthMetricsRepository,
    private readonly forecasts: ForecastRepository,
  ) {}

  async compute(
    tasks: readonly StartedTask<typeof updateForecasts>[],
    { signal }: TaskContext,
  ): Promise<readonly Settled<Forecast>[]> {
    const model = this.models.forecasts.getActive(await this.activations.listActiveVersions())
    const userIds = tasks.map(({ args }) => args.user_id)
    const names = metricsOfForecast(model.manifest.metric)
    const histories = await this.measurements.readHistories(userIds, names, maxMeasurements)
    const outcomes: Settled<Forecast>[] = []
    for (const [index, { args }] of tasks.entries()) {
      outcomes.push(settle(model, args, histories[index]))
      // A long history takes 20 ms: others have their turn in between.
      signal.throwIfAborted()
      await nextTurn()
    }
    return outcomes
  }

  store(computed: readonly Computed<Forecast>[]): Promise<ReadonlySet<string>> {
    return this.forecasts.storeAll(
      computed.map(({ task, output }) => ({ ...output, taskId: task.id, attempt: task.attempt })),
    )
  }
}

const settle = (model: LoadedForecaster, args: Args, history: MeasuredHistory | undefined): Settled<Forecast> => {
  try {
    if (!history) throw new Error('The history of a person was not read')
    return { value: forecastOf(model, args, history) }
  } catch (error) {
    return { error }
  }
}

const forecastOf = (
  { reference, manifest, forecaster }: LoadedForecaster,
  { user_id: userId, horizons_months: horizonsMonths = manifest.horizons_months }: Args,
  { readAt, measurements }: MeasuredHistory,
): Forecast => {
  const { request, warnings } = requestFromMeasurements(measurements, manifest.metric, readAt, horizonsMonths)
  const forecast = forecaster.forecast(request)
  const isCut = measurements.length === maxMeasurements
  return {
    userId,
    model: reference,
    metric: manifest.metric,
    referenceAt: readAt,
    history: request.history.map(({ at, value }) => ({ at: new Date(at).toISOString(), value })),
    points: forecast.points,
    ratePerYear: forecast.rate_per_year,
    basis: forecast.basis,
    warnings: [
      ...forecast.warnings,
      ...warnings,
      ...(isCut ? [`Only the newest ${maxMeasurements} measurements are used.`] : []),
    ],
  }
}
