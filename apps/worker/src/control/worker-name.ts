import { hostname } from 'node:os'
import { productVersion } from '#libs/platform'

/** Injection token of this worker's name. */
export const WORKER_NAME = Symbol('WORKER_NAME')

/** `worker1@%h` with the host's name in place of %h. */
export const expandWorkerName = (name: string): string => name.replaceAll('%h', hostname())

/** What runs here, for heartbeats and health checks. */
export const versions = { memoryguard: productVersion, node: process.versions.node }
