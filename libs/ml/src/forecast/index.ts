export { createForecaster, type Forecast } from './forecaster.js'
export type { ForecastRequest } from './forecast-request.js'
export { loadForecaster, type LoadedForecaster } from './load-forecaster.js'
export { metricsOfForecast, requestFromMeasurements } from './measured-person.js'
