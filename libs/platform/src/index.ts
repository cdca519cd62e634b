export * from './config.js'
export * from './logger.js'
export * from './memory-guard-error.js'
export * from './micro-batcher.js'
