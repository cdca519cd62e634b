export * from './log-destination.js'
export * from './logger.js'
export * from './process-output.js'
export * from './sampled-lines.js'
