import { Option } from 'commander'

/** A flag of `memoryguard worker`, the environment variable that says the same, and its description. */
type WorkerFlag = readonly [flags: string, variable: string, description: string]

/** The flags with a meaning, in the words of Celery. Their values are checked by the configuration's schema. */
export const workerFlags: readonly WorkerFlag[] = [
  ['-Q, --queues <list>', 'WORKER_QUEUES', 'queues to consume, separated by commas'],
  ['-X, --exclude-queues <list>', 'WORKER_QUEUES', 'consume all queues but these'],
  ['-c, --concurrency <count>', 'WORKER_CONCURRENCY', 'number of compute children'],
  ['--autoscale <max,min>', 'WORKER_AUTOSCALE', 'as many compute children as there is work for'],
  ['-n, --hostname <name>', 'WORKER_NAME', "the worker's name; %h is the host name"],
  ['-l, --loglevel <level>', 'LOG_LEVEL', 'debug, info, warning, error or critical'],
  ['-P, --pool <pool>', 'WORKER_POOL', 'prefork (compute in children) or solo (debugging)'],
  ['--max-tasks-per-child <count>', 'WORKER_MAX_TASKS_PER_CHILD', 'replace a child after this many tasks'],
  ['--max-memory-per-child <kib>', 'WORKER_MAX_MEMORY_PER_CHILD_KB', 'replace a child that has grown beyond this'],
  ['--time-limit <seconds>', 'TASK_TIME_LIMIT_SECONDS', 'hard limit of a task: its child is killed'],
  ['--soft-time-limit <seconds>', 'TASK_SOFT_TIME_LIMIT_SECONDS', 'soft limit: the task receives an abort signal'],
  [
    '-E, --task-events',
    'CELERY_TASK_EVENTS',
    'publish the events of tasks for Flower and celery events from the start',
  ],
  ['-b, --broker <url>', 'CELERY_BROKER_URL', 'Redis broker of Celery callers'],
  ['--result-backend <url>', 'CELERY_RESULT_BACKEND', 'Redis in which Celery callers look for results'],
  [
    '--prefetch-multiplier <count>',
    'CELERY_PREFETCH_MULTIPLIER',
    'most unfinished calls of Celery callers for each compute child',
  ],
  [
    '--health-port <port>',
    'WORKER_HEALTH_PORT',
    'port for probes and metrics; 0 takes a free one (default: the first free one from 8081 on)',
  ],
]

/** Names of Celery's log levels that are called otherwise here. */
const logLevels: Readonly<Record<string, string>> = { warning: 'warn', critical: 'fatal' }

/** Celery pools that have no counterpart; children do their work. */
const foreignPools = ['eventlet', 'gevent', 'threads', 'processes', 'custom']

/** What the given flags say, as environment variables, and what the user should know about it. */
export interface WorkerSettings {
  readonly variables: Readonly<Record<string, string>>
  readonly warnings: readonly string[]
}

/** Translates the flags of one call (Commander's values by key; flags without meaning among them are left out). */
export const translateWorkerFlags = (
  values: Readonly<Record<string, unknown>>,
  allQueues: readonly string[],
): WorkerSettings => {
  const variables: Record<string, string> = {}
  const warnings: string[] = []
  for (const [flags, variable] of workerFlags) {
    const value = values[new Option(flags).attributeName()]
    if (typeof value === 'string' || value === true) variables[variable] = String(value)
  }
  const { excludeQueues, queues } = values
  if (typeof excludeQueues === 'string') {
    const excluded = excludeQueues.split(',').map((name) => name.trim())
    const asked = typeof queues === 'string' ? queues.split(',') : allQueues
    variables['WORKER_QUEUES'] = asked.filter((name) => !excluded.includes(name.trim())).join(',')
  }
  // Celery's word for as many as there are CPUs, which is the default.
  if (variables['WORKER_CONCURRENCY'] === 'auto') delete variables['WORKER_CONCURRENCY']
  const level = variables['LOG_LEVEL']?.toLowerCase()
  if (level !== undefined) variables['LOG_LEVEL'] = logLevels[level] ?? level
  const pool = variables['WORKER_POOL']
  if (pool !== undefined && foreignPools.includes(pool)) {
    warnings.push(`--pool ${pool} has no meaning here: computing in children (prefork)`)
    variables['WORKER_POOL'] = 'prefork'
  }
  return { variables, warnings }
}
