/** One flag of `memoryguard worker` and the environment variable that says the same. */
interface WorkerFlag {
  readonly flags: string
  /** The name Commander gives the flag's value. */
  readonly key: string
  readonly variable: string
  readonly description: string
}

/** The flags with a meaning, in the words of Celery. Their values are checked by the configuration's schema. */
export const workerFlags: readonly WorkerFlag[] = [
  flag('-Q, --queues <list>', 'queues', 'WORKER_QUEUES', 'queues to consume, separated by commas'),
  flag('-X, --exclude-queues <list>', 'excludeQueues', 'WORKER_QUEUES', 'consume all queues but these'),
  flag('-c, --concurrency <count>', 'concurrency', 'WORKER_CONCURRENCY', 'number of compute children'),
  flag('--autoscale <max,min>', 'autoscale', 'WORKER_AUTOSCALE', 'as many compute children as there is work for'),
  flag('-n, --hostname <name>', 'hostname', 'WORKER_NAME', "the worker's name; %h is the host name"),
  flag('-l, --loglevel <level>', 'loglevel', 'LOG_LEVEL', 'debug, info, warning, error or critical'),
  flag('-P, --pool <pool>', 'pool', 'WORKER_POOL', 'prefork (compute in children) or solo (debugging)'),
  flag(
    '--max-tasks-per-child <count>',
    'maxTasksPerChild',
    'WORKER_MAX_TASKS_PER_CHILD',
    'replace a child after this many tasks',
  ),
  flag(
    '--max-memory-per-child <kib>',
    'maxMemoryPerChild',
    'WORKER_MAX_MEMORY_PER_CHILD_KB',
    'replace a child that has grown beyond this',
  ),
  flag('--time-limit <seconds>', 'timeLimit', 'TASK_TIME_LIMIT_SECONDS', 'hard limit of a task: its child is killed'),
  flag(
    '--soft-time-limit <seconds>',
    'softTimeLimit',
    'TASK_SOFT_TIME_LIMIT_SECONDS',
    'soft limit: the task is asked to stop',
  ),
  flag(
    '--health-port <port>',
    'healthPort',
    'WORKER_HEALTH_PORT',
    'port for probes and metrics; 0 takes a free one (default: the first free one from 8081 on)',
  ),
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
export function translateWorkerFlags(
  values: Readonly<Record<string, unknown>>,
  allQueues: readonly string[],
): WorkerSettings {
  const variables: Record<string, string> = {}
  const warnings: string[] = []
  for (const { key, variable } of workerFlags) {
    const value = values[key]
    if (typeof value === 'string') variables[variable] = value
  }
  const { excludeQueues } = values
  if (typeof excludeQueues === 'string') {
    const excluded = excludeQueues.split(',').map((name) => name.trim())
    const { queues } = values
    const asked = typeof queues === 'string' ? queues.split(',') : allQueues
    variables['WORKER_QUEUES'] = asked.filter((name) => !excluded.includes(name.trim())).join(',')
  }
  const level = variables['LOG_LEVEL']?.toLowerCase()
  if (level !== undefined) variables['LOG_LEVEL'] = logLevels[level] ?? level
  const pool = variables['WORKER_POOL']
  if (pool !== undefined && foreignPools.includes(pool)) {
    warnings.push(`--pool ${pool} has no meaning here: computing in children (prefork)`)
    variables['WORKER_POOL'] = 'prefork'
  }
  return { variables, warnings }
}

function flag(flags: string, key: string, variable: string, description: string): WorkerFlag {
  return { flags, key, variable, description }
}
