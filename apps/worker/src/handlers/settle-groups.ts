import type { Settled } from '#libs/platform'

/**
 * Computes tasks of the same key together and returns an outcome for each task, in order; `missing` is the error of a
 * task without a key.
 */
export const settleGroups = async <Task, Output>(
  tasks: readonly Task[],
  keyOf: (task: Task) => string | undefined,
  missing: (task: Task) => Error,
  compute: (group: readonly Task[]) => Promise<readonly Settled<Output>[]>,
): Promise<readonly Settled<Output>[]> => {
  const groups = new Map<string, Task[]>()
  for (const task of tasks) {
    const key = keyOf(task)
    if (key === undefined) continue
    const group = groups.get(key)
    if (group) group.push(task)
    else groups.set(key, [task])
  }
  const outcomes = new Map<Task, Settled<Output>>()
  await Promise.all(
    [...groups.values()].map(async (group) => {
      const settled = await compute(group)
      group.forEach((task, index) => {
        const outcome = settled[index]
        if (outcome) outcomes.set(task, outcome)
      })
    }),
  )
  return tasks.map((task) => outcomes.get(task) ?? { error: missing(task) })
}
