import { createRequire } from 'node:module'
import { availableParallelism, release, totalmem, type } from 'node:os'
import { productVersion } from '#libs/platform'

const require = createRequire(import.meta.url)

/** The version of a package as it is installed. */
const versionOf = (name: string): string => {
  try {
    return (require(`${name}/package.json`) as { version: string }).version
  } catch {
    return 'not installed'
  }
}

/** Versions of what runs, and the machine it runs on. */
export const readSoftware = () => ({
  memoryguard: productVersion,
  node: process.versions.node,
  bullmq: versionOf('bullmq'),
  onnxruntime: versionOf('onnxruntime-node'),
  os: `${type()} ${release()} ${process.arch}`,
  cpus: availableParallelism(),
  memory_mib: Math.round(totalmem() / 1_048_576),
})
