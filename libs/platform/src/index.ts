export { parseBrokerUrl, type BrokerAddress } from './broker-url.js'
export {
  isQueueName,
  loadConfig,
  queueNames,
  readEnvironment,
  variables,
  type Config,
  type QueueName,
} from './config.js'
export { parseDatabaseUrl, type DatabaseAddress } from './database-url.js'
export { changedConfig, maskUrl, printableConfig } from './config-print.js'
export { configWarnings } from './config-warnings.js'
export { createFolders } from './create-folders.js'
export { explainListen, findFreePort, findPortFrom, isPortFree } from './free-port.js'
export { collectGarbageOfStart, serverFlags } from './heap.js'
export { HostResolver } from './host-resolver.js'
export { Lifecycle, type LifecycleStep } from './lifecycle.js'
export { SampledLines, createLogger, nestLogger, routeProcessOutput, type Logger } from './logging/index.js'
export { MemoryGuardError, errorCodes, type ErrorCode, type InputFault } from './memory-guard-error.js'
export { MicroBatcher, type Settled } from './micro-batcher.js'
export { productVersion } from './version.js'
export { PeriodicLoop } from './periodic-loop.js'
export { CONFIG, LOGGER, PlatformModule } from './platform.module.js'
export { AddressRefusedError, anyLookup, isPublicAddress, publicLookup } from './public-address.js'
export { reasonOf } from './reason-of.js'
export { codeField, explain, runAsProcess } from './run-as-process.js'
export { SharedResult } from './shared-result.js'
export { lateAnswer, readinessCheckMs, withinTime } from './time-limit.js'
export { Slices } from './slices.js'
export { withoutEndingSlashes } from './without-ending-slashes.js'
export { configurationPage, environmentExample } from './config-reference.js'
