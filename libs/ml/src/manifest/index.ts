export * from './manifest.schema.js'
