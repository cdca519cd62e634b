import type { EnqueueableTask, TaskJob } from '#libs/database'
import { z } from 'zod'

/** What a job carries: identifiers of tasks that may start this attempt, and nothing of the person. */
export const jobPayload = z.strictObject({ task_ids: z.array(z.uuid()).min(1), attempt: z.int().positive() })

/** A job as BullMQ takes it. */
export interface NewJob {
  readonly name: string
  readonly data: z.infer<typeof jobPayload>
  readonly opts: { readonly jobId: string; readonly priority?: number; readonly delay?: number }
}

/** The id of the job that carries a task alone. */
export const jobIdOf = ({ taskId, attempt }: TaskJob): string => `task-${taskId}-${attempt}`

/** The id of the job that carries a task first and others with it. */
export const sharedJobIdOf = (job: TaskJob): string => `${jobIdOf(job)}-shared`

/** The task that a job's id names, the first of those that it carries; undefined if the id is not one of ours. */
export const firstTaskOf = (jobId: string): TaskJob | undefined => {
  const [, taskId, attempt] = /^task-([0-9a-f-]{36})-(\d+)(?:-shared)?$/.exec(jobId) ?? []
  return taskId === undefined ? undefined : { taskId, attempt: Number(attempt) }
}

/** One job for each task, and for those that may start at once and share name and attempt, one for `tasksPerJob`. */
export const toJobs = (tasks: readonly EnqueueableTask[], tasksPerJob: number): readonly NewJob[] => {
  const groups: EnqueueableTask[][] = []
  const latest = new Map<string, EnqueueableTask[]>()
  for (const task of tasks) {
    const kind = task.priority === 0 && task.delayMs === 0 ? `${task.name} ${task.attempt}` : undefined
    const company = kind === undefined ? undefined : latest.get(kind)
    if (company && company.length < tasksPerJob) {
      company.push(task)
      continue
    }
    const group = [task]
    groups.push(group)
    if (kind !== undefined) latest.set(kind, group)
  }
  return groups.flatMap((group) => toJob(group) ?? [])
}

const toJob = (group: readonly EnqueueableTask[]): NewJob | undefined => {
  const [first] = group
  if (!first) return undefined
  const { name, attempt, priority, delayMs } = first
  return {
    name,
    data: { task_ids: group.map(({ taskId }) => taskId), attempt },
    opts: {
      jobId: group.length > 1 ? sharedJobIdOf(first) : jobIdOf(first),
      ...(priority > 0 && { priority }),
      ...(delayMs > 0 && { delay: delayMs }),
    },
  }
}
