export { createExplainer } from './explainer.js'
export type { Explainer } from './explanation.js'
