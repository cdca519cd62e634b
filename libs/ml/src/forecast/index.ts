export { createForecaster, type Forecast, type Forecaster, type ForecastPoint } from './forecaster.js'
export type { ForecastCovariates, ForecastRequest, ForecastVisit } from './forecast-request.js'
export { loadForecaster, type LoadedForecaster } from './load-forecaster.js'
export { metricsOfForecast, requestFromMeasurements } from './measured-person.js'
