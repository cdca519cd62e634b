export { assertDefaultModel } from './default-model.js'
export { checkMeasurement, checkMetrics, extrapolatedFeatures, missingFeatures } from './check-metrics.js'
export { FolderScanner, listModelFolders } from './folder-scanner.js'
export { knownMetrics } from './known-metrics.js'
export {
  goldenSchema,
  manifestSchema,
  type ForecastManifest,
  type Golden,
  type Manifest,
  type ModelInput,
  type RiskManifest,
  type TensorColumn,
} from './manifest.schema.js'
export { assertModelsFolder } from './models-folder.js'
export { numberOfWord } from './metric-words.js'
export { ModelCatalogue, isForecast, newestFirst } from './model-catalogue.js'
export {
  digestOf,
  inspectModelFolder,
  readModelFolder,
  referenceOf,
  type InspectedFolder,
  type ModelFolder,
} from './model-folder.js'
export { categoryOf, findOutput, intervalOf } from './model-outputs.js'
export { modelFilePath, modelFolderPath } from './model-path.js'
