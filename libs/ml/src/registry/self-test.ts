import { readFile } from 'node:fs/promises'
import { MemoryGuardError, type InputFault } from '#libs/platform'
import type { ComputePool } from '../runtime/compute-pool.js'
import { graphFaults } from '../authoring/graph-faults.js'
import { graphSpecOf, type RiskFolder } from './graph-spec.js'
import { goldenFaults } from './risk-outputs.js'

/**
 * Everything that keeps a model whose folder is in order from serving: a graph that is broken, disagrees with the
 * manifest or cannot be run, or answers that are not those of the golden file. It is run apart from what serves.
 */
export const selfTest = async (folder: RiskFolder, pool: ComputePool): Promise<readonly InputFault[]> => {
  const { manifest, golden } = folder
  const spec = graphSpecOf(folder)
  const unread = graphFaults(manifest, await readFile(spec.file))
  if (unread.length > 0) return unread
  try {
    return goldenFaults(manifest, golden, await pool.trial(spec))
  } catch (error) {
    return [{ pointer: manifest.graph.file, message: `cannot be run: ${wordsOf(error)}` }]
  }
}

const wordsOf = (error: unknown): string => {
  if (error instanceof MemoryGuardError && error.code === 'TASK_CHILD_LOST') return 'the process that tried it died'
  if (error instanceof MemoryGuardError && error.code === 'TASK_HARD_TIME_LIMIT') return 'it does not end'
  return error instanceof Error ? error.message : String(error)
}
