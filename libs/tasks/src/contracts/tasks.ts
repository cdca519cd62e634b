// One line for each task. `catalogue.ts` reads the contracts from here.
export * from './batch-predictions.task.js'
export * from './generate-explanation.task.js'
export * from './health-check.task.js'
export * from './process-prediction.task.js'
export * from './update-forecasts.task.js'
