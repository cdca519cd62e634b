import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PreforkPool, SoloPool, type ComputePool, type GraphSpec, type PreforkOptions } from '#libs/ml'
import { createLogger } from '#libs/platform'

const log = createLogger('test', 'silent')
export const fileOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
export const screen = fileOf('models/impairment-screen/1')
export const slow = fileOf('test/fixtures/runtime/slow/1')
/** The compiled program of a child: children are processes of the built product. */
export const entry = new URL('../../dist/libs/ml/src/runtime/compute-child.js', import.meta.url)

export const slowGraph: GraphSpec = {
  key: 'slow@1',
  file: join(slow, 'model.onnx'),
  input: 'features',
  dtype: 'float32',
  width: 1,
  outputs: ['probability'],
  maxBatch: 4096,
  warmUp: { rows: new Float32Array(0), count: 0 },
}
/** Work of the slow model: three points are about a second. */
export const work = (points: number, timeoutMs = 60_000) => ({
  key: 'slow@1',
  rows: Float32Array.of(points),
  count: 1,
  timeoutMs,
})

const pools: ComputePool[] = []
export const prefork = (options: Partial<PreforkOptions> = {}): PreforkPool => {
  const pool = new PreforkPool({ size: 2, maxTasksPerChild: 0, maxMemoryPerChildKb: 0, entry, ...options }, log)
  pools.push(pool)
  return pool
}
export const solo = (): SoloPool => {
  const pool = new SoloPool()
  pools.push(pool)
  return pool
}
/** Stops the pools that a test has made. */
export const stopPools = async (): Promise<void> => {
  await Promise.all(pools.splice(0).map((pool) => pool.stop()))
}
