export { createLogger } from './logger.js'
export { nestLogger, routeProcessOutput } from './process-output.js'
export { SampledLines } from './sampled-lines.js'
export type { Logger } from './logger.js'
