import { queueNames } from '#libs/platform'
import { z } from 'zod'
import { catalogue } from './contracts/catalogue.js'

const children = z.strictObject({ n: z.int().min(1).max(64).default(1) })
const queue = z.strictObject({ queue: z.enum(queueNames, { error: `must be one of ${queueNames.join(', ')}` }) })
const taskNames = Object.keys(catalogue)
const task = z.enum(taskNames, { error: `must be one of ${taskNames.join(', ')}` })
const limitSeconds = z.number().min(0.1).max(86_400)

/** Commands to workers and their arguments; the names are Celery's. */
export const workerCommands = {
  ping: z.strictObject({}),
  shutdown: z.strictObject({ immediate: z.boolean().default(false) }),
  'pool-grow': children,
  'pool-shrink': children,
  'pool-restart': z.strictObject({}),
  'add-consumer': queue,
  'cancel-consumer': queue,
  'rate-limit': z.strictObject({
    task,
    rate: z
      .string()
      .regex(
        /^\d{1,6}(\.\d{1,3})?(\/[smh])?$/,
        'must be a number of tasks per second, minute or hour: 10/m; 0 for no limit',
      ),
  }),
  'time-limit': z.strictObject({ task, soft: limitSeconds.optional(), hard: limitSeconds.optional() }),
} as const

export type WorkerCommandName = keyof typeof workerCommands

export const workerCommandNames = Object.keys(workerCommands) as [WorkerCommandName, ...WorkerCommandName[]]

export const isWorkerCommand = (name: string): name is WorkerCommandName => Object.hasOwn(workerCommands, name)
