export { ReadinessModule } from './readiness.module.js'
export { Readiness } from './readiness.js'
