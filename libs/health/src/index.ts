export { ReadinessModule } from './readiness.module.js'
export { Readiness, type ReadinessCheck } from './readiness.js'
