import { describe, expect, it } from 'vitest'
import { loadConfig, queueNames, variables } from '#libs/platform'
import { translateWorkerFlags, workerFlags } from './worker-flags.js'
import { workerCommand } from './worker.command.js'

/** Parses a command line as the command does, and translates what it found. */
const translate = (...line: string[]) => {
  const command = workerCommand(() => undefined).exitOverride()
  command.parseOptions(line)
  return translateWorkerFlags(command.opts(), queueNames)
}

describe('flags of a worker', () => {
  it('become the variables that say the same', () => {
    const line =
      '-Q predictions,batch -c 4 -n worker1@%h --loglevel=info --max-tasks-per-child 1000 --max-memory-per-child 500000 ' +
      '--time-limit 1800 --soft-time-limit 1500 --pool solo --health-port 8082'
    const { variables: found, warnings } = translate(...line.split(' '))
    expect(warnings).toEqual([])
    const { worker, task, log } = loadConfig(found)
    expect(worker).toMatchObject({
      queues: ['predictions', 'batch'],
      concurrency: 4,
      name: 'worker1@%h',
      pool: 'solo',
      healthPort: 8082,
      maxTasksPerChild: 1000,
      maxMemoryPerChildKb: 500_000,
    })
    expect(task).toMatchObject({ timeLimitSeconds: 1800, softTimeLimitSeconds: 1500 })
    expect(log.level).toBe('info')
  })

  it('need no value where they are switches', () => {
    expect(translate('-E').variables).toEqual({ CELERY_TASK_EVENTS: 'true' })
  })

  it('name variables that exist', () => {
    expect(workerFlags.map(([, variable]) => variable).filter((name) => !(name in variables))).toEqual([])
  })

  it.each([
    ['WARNING', 'warn'],
    ['critical', 'fatal'],
    ['DEBUG', 'debug'],
    ['nonsense', 'nonsense'],
  ])("reads Celery's log level %s as %s", (celery, ours) => {
    expect(translate('-l', celery).variables).toEqual({ LOG_LEVEL: ours })
  })

  it('can leave queues out', () => {
    expect(translate('-X', 'batch,forecasts').variables).toEqual({ WORKER_QUEUES: 'predictions,explanations' })
  })

  it('say that a foreign pool becomes prefork', () => {
    const { variables: found, warnings } = translate('-P', 'gevent')
    expect(found).toEqual({ WORKER_POOL: 'prefork' })
    expect(warnings).toEqual([expect.stringContaining('--pool gevent')])
  })

  it('ask for as many children as there is work for', () => {
    expect(translate('--autoscale', '8,2', '-c', '4')).toEqual({
      variables: { WORKER_AUTOSCALE: '8,2', WORKER_CONCURRENCY: '4' },
      warnings: [],
    })
  })

  it('of Celery say where its callers are', () => {
    const line = '-b redis://r/1 --result-backend=redis://r/2 --prefetch-multiplier=1 -c auto'
    expect(translate(...line.split(' ')).variables).toEqual({
      CELERY_BROKER_URL: 'redis://r/1',
      CELERY_RESULT_BACKEND: 'redis://r/2',
      CELERY_PREFETCH_MULTIPLIER: '1',
    })
  })

  it('of Celery without a meaning set nothing', () => {
    expect(translate('-A', 'proj', '--without-gossip', '-O', 'fair', '--pool-start-method=spawn')).toEqual({
      variables: {},
      warnings: [],
    })
  })
})
