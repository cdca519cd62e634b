import type { HttpResponse, Stack, WorkerProgram } from './stack.js'

export interface Attempt {
  readonly outcome: string
  readonly started_at: string
  readonly ended_at: string
  readonly error: { readonly code: string; readonly message: string } | null
}

/** A task as the API shows it, with its attempts and the name of its worker. */
export const toAttempts = (task: HttpResponse['body']) => ({
  ...task,
  state: task['state'],
  attempts: task['attempts'] as Attempt[],
  worker: String(task['worker']),
})

export const readAttempts = async (stack: Stack, id: string) => toAttempts(await stack.readTask(id))

/** The worker of this name, which ends in its number. */
export const workerOf = (stack: Stack, name: string): WorkerProgram => {
  const worker = stack.workers[Number(/\d+/.exec(name)?.[0]) - 1]
  if (!worker) throw new Error(`There is no worker ${name}`)
  return worker
}

export const runningWorkers = (stack: Stack): readonly WorkerProgram[] =>
  stack.workers.filter(({ isRunning }) => isRunning)
