import { once } from 'node:events'

/** Jobs that a producer has under way, as many as the load generator has connections. */
const atOnce = 128
/** How often a worker says how many jobs it has completed, in milliseconds. */
const reportMs = 10

/** The two programs of a queue: what adds one job, and what begins to work, calling back for each that is completed. */
export interface QueuePrograms {
  readonly produce: () => Promise<{
    readonly add: (index: number) => Promise<unknown>
    readonly close: () => Promise<unknown>
  }>
  readonly work: (onCompleted: (jobs: number) => void) => Promise<void>
}

/**
 * Runs in a forked process: as a producer that adds `jobs` jobs, or, if that is undefined, as a worker. Both send 0 to the
 * parent when they are ready. A worker then sends the number of jobs that it has completed, each time it has grown. A producer
 * waits for a message, adds its jobs, and sends the seconds of CPU that this took.
 */
export const runRole = async ({ produce, work }: QueuePrograms, jobs: string | undefined): Promise<void> => {
  if (jobs === undefined) {
    let completed = 0
    let reported = -1
    await work((number) => (completed += number))
    setInterval(() => {
      if (completed !== reported) process.send?.(completed)
      reported = completed
    }, reportMs)
    await once(process, 'disconnect')
    process.exit(0)
  }
  const { add, close } = await produce()
  process.send?.(0)
  await once(process, 'message')
  const before = process.cpuUsage()
  let next = 0
  const lane = async () => {
    while (next < Number(jobs)) await add(next++)
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  await close()
  const { user, system } = process.cpuUsage(before)
  process.send?.((user + system) / 1e6, () => process.exit(0))
}
