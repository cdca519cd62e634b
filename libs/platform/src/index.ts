export * from './memory-guard-error.js'
