import { createRequire } from 'node:module'
import { availableParallelism, release, totalmem, type } from 'node:os'
import { productVersion } from '#libs/platform'
// Becomes a part of the bundle, as the package does.
import bullmq from 'bullmq/package.json' with { type: 'json' }

/** The version of a package that stays beside the bundle. */
const versionOf = (name: string): string => {
  try {
    return (createRequire(import.meta.url)(`${name}/package.json`) as { version: string }).version
  } catch {
    return 'not installed'
  }
}

/** Versions of what runs, and the machine it runs on. */
export const readSoftware = () => ({
  memoryguard: productVersion,
  node: process.versions.node,
  bullmq: bullmq.version,
  onnxruntime: versionOf('onnxruntime-node'),
  os: `${type()} ${release()} ${process.arch}`,
  cpus: availableParallelism(),
  memory_mib: Math.round(totalmem() / 1_048_576),
})
