export {
  nameOfHost,
  parseBrokerUrl,
  type BrokerAddress,
  type HostAndPort,
  type SentinelAddress,
} from './config/broker-url.js'
export { parseCeleryUrl, type CeleryAddress } from './config/celery-url.js'
export { loadConfig, readEnvironment, type CeleryConfig, type Config, type OidcConfig } from './config/load-config.js'
export { variables } from './config/variables.js'
export { isQueueName, queueNames, type QueueName } from './queue-names.js'
export { parseDatabaseUrl, type DatabaseAddress } from './config/database-url.js'
export { changedConfig, maskUrl, printableConfig } from './config/print-config.js'
export { configWarnings } from './config/warnings.js'
export { createFolders } from './create-folders.js'
export { explainListen, findFreePort, findPortFrom, isPortFree } from './free-port.js'
export { collectGarbageOfStart, serverFlags } from './heap.js'
export { Lifecycle, type LifecycleStep } from './lifecycle.js'
export { SampledLines, createLogger, nestLogger, routeProcessOutput, type Logger } from './logging/index.js'
export { MemoryGuardError, errorCodes, type ErrorCode, type InputFault } from './memory-guard-error.js'
export { MicroBatcher, type Settled } from './micro-batcher.js'
export { productVersion } from './version.js'
export { PeriodicLoop } from './periodic-loop.js'
export { CONFIG, LOGGER, PlatformModule } from './platform.module.js'
export { isPublicAddress } from './public-address.js'
export { reasonOf } from './reason-of.js'
export { redisOptions, redisTls, type RedisAddress } from './redis-options.js'
export { codeField, explainError, runAsProcess } from './run-as-process.js'
export { runServer, untilAskedToStop } from './run-server.js'
export { withinTime } from './time-limit.js'
export { Slices } from './slices.js'
export { withoutEndingSlashes } from './without-ending-slashes.js'
export { configurationPage, environmentExample } from './config/reference.js'
export { Tracing, tracingStep, type OpenSpan } from './tracing.js'
