export { ReadinessModule } from './readiness.module.js'
export { Readiness, type ReadinessReport } from './readiness.js'
export { logWhenReady } from './log-when-ready.js'
