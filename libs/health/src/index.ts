export { ReadinessModule } from './readiness.module.js'
export { Readiness, type ReadinessReport } from './readiness.js'
export { SharedResult } from './shared-result.js'
export { logWhenReady } from './log-when-ready.js'
