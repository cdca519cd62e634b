/** Every state of a task. The last five are terminal: they never change. */
export const taskStates = [
  'scheduled',
  'queued',
  'running',
  'retrying',
  'succeeded',
  'failed',
  'cancelled',
  'timed_out',
  'expired',
] as const

export type TaskState = (typeof taskStates)[number]

/** The legal transitions: from a state to the states it may become. The one place that says so. */
const transitions: Readonly<Record<TaskState, readonly TaskState[]>> = {
  scheduled: ['queued', 'running', 'cancelled', 'expired', 'failed'],
  queued: ['running', 'cancelled', 'expired', 'failed'],
  running: ['succeeded', 'failed', 'retrying', 'queued', 'cancelled', 'timed_out'],
  retrying: ['queued', 'running', 'cancelled', 'expired', 'failed'],
  succeeded: [],
  failed: [],
  cancelled: [],
  timed_out: [],
  expired: [],
}

export const isTerminal = (state: TaskState): boolean => transitions[state].length === 0

export const terminalStates: readonly TaskState[] = taskStates.filter(isTerminal)

/** The states that may become `next`. */
export const sourcesOf = (next: TaskState): readonly TaskState[] =>
  taskStates.filter((state) => transitions[state].includes(next))

const celeryStates = {
  scheduled: 'PENDING',
  queued: 'PENDING',
  running: 'STARTED',
  retrying: 'RETRY',
  succeeded: 'SUCCESS',
  failed: 'FAILURE',
  timed_out: 'FAILURE',
  cancelled: 'REVOKED',
  expired: 'REVOKED',
} as const satisfies Record<TaskState, string>

export type CeleryState = (typeof celeryStates)[TaskState]

/** The word Celery has for a state; every response that carries a state carries it too. */
export const celeryStateOf = (state: TaskState): CeleryState => celeryStates[state]
