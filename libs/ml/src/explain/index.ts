export { createExplainer } from './explainer.js'
export type {
  Explainer,
  ExplainerOptions,
  Explanation,
  ExplanationMethod,
  ExplanationSpace,
  RequestedMethod,
} from './explanation.js'
export { explanationText, type ExplainedInput } from './explanation-text.js'
export type { Predict } from './function-shap.js'
export { globalImportance, type InputImportance } from './global-importance.js'
export type { OutputColumn } from './trace-graph.js'
export type { CoverSource } from './tree-reference.js'
