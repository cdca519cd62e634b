export * from './registry/model-registry.js'
export * from './runtime/compute-pool.js'
export * from './runtime/prefork-pool.js'
export * from './runtime/solo-pool.js'
