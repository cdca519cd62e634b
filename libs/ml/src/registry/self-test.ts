import { readFile } from 'node:fs/promises'
import { MemoryGuardError, type InputFault } from '#libs/platform'
import type { ComputePool } from '../runtime/compute-pool.js'
import { graphFaults } from '../authoring/graph-faults.js'
import { graphSpecOf, type RiskFolder } from './graph-spec.js'
import { changingOutputs, tryTwice } from './repeated-trial.js'
import { goldenFaults } from './risk-outputs.js'

/**
 * Finds what keeps a model with a sound folder from serving: a graph that is broken, disagrees with the manifest or
 * cannot be run, or outputs that are not those of the golden file. The graph is run apart from those that serve.
 */
export const selfTest = async (folder: RiskFolder, pool: ComputePool): Promise<readonly InputFault[]> => {
  const { manifest, golden } = folder
  const spec = graphSpecOf(folder)
  const unread = graphFaults(manifest, await readFile(spec.file))
  if (unread.length > 0) return unread
  try {
    const faults = goldenFaults(manifest, golden, await pool.trial(spec))
    if (faults.length < 2) return faults
    // Outputs that change from run to run differ from any golden file.
    const { changedRow } = await tryTwice(pool, spec)
    if (changedRow === undefined) return summarized(faults)
    return [{ pointer: manifest.graph.file, message: `returns ${changingOutputs}` }]
  } catch (error) {
    return [{ pointer: manifest.graph.file, message: `cannot be run: ${trialFailure(error)}` }]
  }
}

/** Most faults of one kind that are shown one by one. */
const shown = 3

/** The first of many faults of the same kind, and how many more there are. */
const summarized = (faults: readonly InputFault[]): readonly InputFault[] => {
  const more = faults.length - shown
  if (more <= 1) return faults
  return [...faults.slice(0, shown), { pointer: 'golden.json', message: `and ${more} more cases that do not fit` }]
}

/** Why a graph cannot be run, and what to do. */
export const trialFailure = (error: unknown): string => {
  if (error instanceof MemoryGuardError && error.code === 'TASK_CHILD_LOST') {
    return (
      'onnxruntime crashed on it, and the process that tried it died. Usually its trees are too deep (limit their depth ' +
      'when you train them) or it needs more memory than there is'
    )
  }
  if (error instanceof MemoryGuardError && error.code === 'TASK_HARD_TIME_LIMIT') return 'it does not end'
  return error instanceof Error ? error.message : String(error)
}
