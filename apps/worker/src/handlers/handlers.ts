// One line for each handler; a handler's file exports nothing else.
export * from './batch-predictions.handler.js'
export * from './generate-explanation.handler.js'
export * from './health-check.handler.js'
export * from './process-prediction.handler.js'
export * from './update-forecasts.handler.js'
