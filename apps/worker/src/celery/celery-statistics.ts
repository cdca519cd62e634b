import type { ComputeChild } from '#libs/ml'
import { nameOfHost, parseCeleryUrl, type Config } from '#libs/platform'

/** Settings of the pool that a worker has now. */
export interface PoolState {
  readonly concurrency: number
  readonly children: readonly ComputeChild[]
  /** Limits of a task, in seconds. */
  readonly soft: number
  readonly hard: number
}

/** The pool as Celery's prefork pool describes itself; what it calls writes are the tasks that each child has run. */
export const describePool = ({ worker }: Config, { concurrency, children, soft, hard }: PoolState): object => {
  const tasks = children.map((child) => child.tasks)
  const total = tasks.reduce((sum, count) => sum + count, 0)
  const shares = tasks.map((count) => (total === 0 ? 0 : count / total).toFixed(2))
  return {
    implementation: `memoryguard:${worker.pool}`,
    'max-concurrency': concurrency,
    processes: children.map(({ pid }) => pid),
    'max-tasks-per-child': worker.maxTasksPerChild || 'N/A',
    'put-guarded-by-semaphore': false,
    timeouts: [soft, hard],
    writes: {
      total,
      avg: (total === 0 || tasks.length === 0 ? 0 : 1 / tasks.length).toFixed(2),
      all: shares.join(', '),
      raw: tasks.join(', '),
      strategy: 'fair',
      inqueues: { total: children.length, active: children.filter(({ busy }) => busy).length },
    },
  }
}

/** The broker as kombu describes a connection, without its password. */
export const describeBroker = (url: string): object => {
  const parsed = parseCeleryUrl(url)
  if ('fault' in parsed) return {}
  const { hosts, username, database, isSecure } = parsed.address
  const [{ host, port }, ...others] = hosts
  return {
    hostname: host,
    userid: username ?? null,
    virtual_host: String(database),
    port,
    insist: false,
    ssl: isSecure,
    transport: 'redis',
    connect_timeout: 5,
    transport_options: {},
    login_method: null,
    uri_prefix: null,
    heartbeat: 0,
    failover_strategy: 'round-robin',
    alternates: others.map(nameOfHost),
  }
}

/** What this process has used, by the names of getrusage(2): seconds, KiB and counts. */
export const describeUsage = (): object => {
  const usage = process.resourceUsage()
  return {
    utime: usage.userCPUTime / 1e6,
    stime: usage.systemCPUTime / 1e6,
    maxrss: usage.maxRSS,
    ixrss: usage.sharedMemorySize,
    idrss: usage.unsharedDataSize,
    isrss: usage.unsharedStackSize,
    minflt: usage.minorPageFault,
    majflt: usage.majorPageFault,
    nswap: usage.swappedOut,
    inblock: usage.fsRead,
    oublock: usage.fsWrite,
    msgsnd: usage.ipcSent,
    msgrcv: usage.ipcReceived,
    nsignals: usage.signalsCount,
    nvcsw: usage.voluntaryContextSwitches,
    nivcsw: usage.involuntaryContextSwitches,
  }
}
