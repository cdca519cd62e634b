import { createLogger, MemoryGuardError } from '#libs/platform'
import { describe, expect, it } from 'vitest'
import { LogicalClock } from '../logical-clock.js'
import { noReply } from './celery-control.js'
import type { CallInfo, CeleryCalls, FoundCall, RevokeOptions, ScheduledCall, Stamps } from './celery-calls.js'
import type { CeleryWorker } from './celery-worker.js'
import { CommandFault } from './command.js'
import { ControlPanel } from './control-panel.js'

const name = 'mg@host'
const eta = new Date('2026-01-01T10:00:00Z')
const startedAt = new Date(1_000_500)
const callOf = (id: string): CallInfo => ({ id, task: 'ml.process_prediction', queue: 'celery', priority: 3 })

/** Calls that note what is asked of them: `a` runs, `r` waits, `s` is scheduled. */
class NotedCalls implements CeleryCalls {
  queues: readonly string[] = ['celery']
  readonly prefetchCount = 8
  readonly asked: unknown[] = []
  listActive = async () => [{ ...callOf('a'), startedAt }]
  listReserved = async () => [callOf('r')]
  listScheduled = async (): Promise<readonly ScheduledCall[]> => [{ ...callOf('s'), eta }]
  listRevoked = async () => ['x', 'y']
  find = async (ids: readonly string[]): Promise<readonly FoundCall[]> =>
    ids.includes('r') ? [{ ...callOf('r'), state: 'reserved' }] : []
  revoke = async (ids: readonly string[], options: RevokeOptions) => {
    this.asked.push([ids, options])
    return ids.filter((id) => id === 'a')
  }
  revokeStamped = async (stamps: Stamps, options: RevokeOptions): Promise<Stamps> => {
    this.asked.push([stamps, options])
    return stamps['visit']?.includes('7') ? { visit: ['7'] } : {}
  }
  addQueue = async (queue: string) => {
    this.queues = [...this.queues, queue]
  }
  cancelQueue = async (queue: string) => {
    this.queues = this.queues.filter((other) => other !== queue)
  }
}

class NotedWorker implements CeleryWorker {
  readonly tasks = ['ml.health_check', 'ml.process_prediction']
  readonly settings = { result_backend: 'redis://h/2', accept_content: ['json'] }
  readonly asked: unknown[] = []
  isAutoscaled = false
  attributesOf = (task: string) => (task === 'ml.health_check' ? { rate_limit: '10/m', max_retries: 3 } : {})
  readStatistics = () => ({ pid: 1, total: {} })
  resize = async (by: number) => {
    if (by < -1) throw new MemoryGuardError('REQUEST_INVALID', 'At least one child must stay.')
    this.asked.push(by)
  }
  restartPool = async () => void this.asked.push('restart')
  autoscale = (max: number | undefined, min: number | undefined) => ({ max: max ?? 9, min: min ?? 2 })
  limitRate = async (task: string, rate: string) => {
    if (!/^\d/.test(rate)) throw new CommandFault('ValueError', 'must be a number of tasks')
    this.asked.push([task, rate])
  }
  limitTime = async (task: string, limits: object) => void this.asked.push([task, limits])
  shutDown = async () => void this.asked.push('shut down')
}

const makePanel = () => {
  const [calls, worker, clock] = [new NotedCalls(), new NotedWorker(), new LogicalClock()]
  const sent = { tasks: false, beats: 0 }
  const events = {
    sendTasks: (isOn: boolean) => {
      const isChange = sent.tasks !== isOn
      sent.tasks = isOn
      return isChange
    },
    beat: async () => void (sent.beats += 1),
  }
  const panel = new ControlPanel({ name, clock, calls, worker, events }, createLogger('worker', 'silent'))
  const ask = (method: string, given: Readonly<Record<string, unknown>> = {}) => panel.handle(method, given)
  return { ask, calls, worker, clock, sent }
}

// The expected replies are those of a worker of Celery 5.7.0 to the same commands.
describe('celery inspect', () => {
  const { ask } = makePanel()

  it.each<readonly [string, Record<string, unknown>, unknown]>([
    ['ping', {}, { ok: 'pong' }],
    ['ping', { unknown: 1 }, { ok: 'pong' }],
    ['revoked', {}, ['x', 'y']],
    ['registered', {}, ['ml.health_check [rate_limit=10/m]', 'ml.process_prediction']],
    [
      'dump_tasks',
      { taskinfoitems: ['rate_limit', 'max_retries', 'routing_key'] },
      ['ml.health_check [rate_limit=10/m max_retries=3]', 'ml.process_prediction'],
    ],
    ['conf', { with_defaults: false }, { result_backend: 'redis://h/2', accept_content: ['json'] }],
    ['query_task', { ids: ['none'] }, {}],
    ['objgraph', {}, { error: "ImportError('Requires the objgraph library')" }],
    ['election', { id: 'e', topic: 'task' }, null],
    ['hello', { from_node: name, revoked: {} }, null],
    ['nosuch', {}, { error: "KeyError('nosuch')" }],
    ['constructor', {}, { error: "KeyError('constructor')" }],
    ['stats', {}, { pid: 1, total: {}, clock: '0', prefetch_count: 8 }],
    ['report', { x: 1 }, { error: `TypeError("report() got an unexpected keyword argument 'x'")` }],
  ])('%s %j', async (method, given, reply) => {
    expect(await ask(method, given)).toEqual(reply)
  })

  it('shows calls with redacted arguments, in the form that was asked for', async () => {
    const shown = {
      id: 'a',
      name: 'ml.process_prediction',
      args: ['...'],
      kwargs: { '...': '...' },
      type: 'ml.process_prediction',
      hostname: name,
      time_start: 1000.5,
      acknowledged: true,
      delivery_info: { exchange: '', routing_key: 'celery', priority: 3, redelivered: null },
      worker_pid: process.pid,
    }
    expect(await ask('active')).toEqual([shown])
    expect(await ask('active', { safe: true })).toEqual([{ ...shown, args: '(...)', kwargs: '{...}' }])
    const waiting = { ...shown, time_start: null, worker_pid: null }
    expect(await ask('reserved')).toEqual([{ ...waiting, id: 'r' }])
    expect(await ask('query_task', { ids: ['r', 'none'] })).toEqual({ r: ['reserved', { ...waiting, id: 'r' }] })
    const request = { ...waiting, id: 's' }
    expect(await ask('scheduled')).toEqual([{ eta: '2026-01-01T10:00:00.000+00:00', priority: 6, request }])
  })

  it('describes the queues as kombu does', async () => {
    const exchange = { name: 'celery', type: 'direct', durable: true }
    expect(await ask('active_queues')).toMatchObject([
      { name: 'celery', exchange, routing_key: 'celery', no_ack: false },
    ])
  })

  it('reports versions and settings as text', async () => {
    const { ok } = (await ask('report')) as { ok: string }
    expect(ok).toMatch(/^\nsoftware -> memoryguard:[\d.]+ node:/)
    expect(ok).toContain("\naccept_content: ['json']\n")
    expect(await ask('memsample')).toMatch(/^\d+\.\d\dMB$/)
    expect(await ask('memdump')).toMatch(/^- rss \(end\): \d+\.\d\dMB\.\n$/)
  })

  it.each([
    ['5.2', { z: [24491.6, 'z'] }],
    ['5.7', ['z']],
  ])('takes over what the workers of Celery %s know as revoked', async (_version, revoked) => {
    const { ask, calls, clock } = makePanel()
    clock.adjust(40)
    expect(await ask('hello', { from_node: 'py@host', revoked })).toEqual({ revoked: ['x', 'y'], clock: 42 })
    expect(calls.asked).toEqual([[['z'], { terminate: false }]])
  })
})

describe('celery control', () => {
  it.each<readonly [string, Record<string, unknown>, unknown]>([
    ['revoke', { task_id: 'a' }, { ok: "tasks {'a'} flagged as revoked" }],
    ['revoke', { task_id: ['a', 'b'] }, { ok: "tasks {'a', 'b'} flagged as revoked" }],
    ['revoke', { task_id: ['a', 'b'], terminate: true, signal: 'SIGKILL' }, { ok: 'terminate: a' }],
    ['revoke', { task_id: 'b', terminate: true, signal: null }, { ok: 'terminate: tasks unknown' }],
    ['terminate', { signal: 'kill', task_id: ['a'] }, { ok: 'terminate: a' }],
    [
      'terminate',
      { signal: 'NOPE', task_id: ['a'] },
      { error: `AttributeError("module 'signal' has no attribute 'SIGNOPE'")` },
    ],
    [
      'terminate',
      {},
      { error: `TypeError("terminate() missing 2 required positional arguments: 'signal' and 'task_id'")` },
    ],
    ['revoke', {}, { error: `TypeError("revoke() missing 1 required positional argument: 'task_id'")` }],
    [
      'revoke_by_stamped_headers',
      { headers: { h: ['v'] } },
      { ok: "headers {'h': ['v']} flagged as revoked, but not terminated" },
    ],
    [
      'revoke_by_stamped_headers',
      { headers: ['h=v'], terminate: true },
      { ok: "headers {'h': 'v'} were not terminated" },
    ],
    [
      'revoke_by_stamped_headers',
      { headers: { visit: '7' }, terminate: true },
      { ok: "headers defaultdict(<class 'set'>, {'visit': {'7'}}) revoked" },
    ],
    ['rate_limit', { task_name: 'none', rate_limit: '1/s' }, { error: 'unknown task' }],
    ['rate_limit', { task_name: 'ml.health_check', rate_limit: 5 }, { ok: 'new rate limit set successfully' }],
    ['rate_limit', { task_name: 'ml.health_check', rate_limit: null }, { ok: 'rate limit disabled successfully' }],
    [
      'rate_limit',
      { task_name: 'ml.health_check', rate_limit: 'often' },
      { error: "Invalid rate limit string: ValueError('must be a number of tasks')" },
    ],
    ['time_limit', { task_name: 'ml.health_check', soft: 1.5, hard: null }, { ok: 'time limits set successfully' }],
    ['time_limit', {}, { error: 'unknown task' }],
    ['time_limit', { task_name: 'ml.health_check', soft: 'x' }, { error: "TypeError('soft must be a number')" }],
    ['pool_grow', {}, { ok: 'pool will grow' }],
    ['pool_shrink', { n: 1 }, { ok: 'pool will shrink' }],
    ['pool_shrink', { n: 50 }, { error: "ValueError('At least one child must stay.')" }],
    ['pool_restart', { modules: null, reload: false }, { ok: 'reload started' }],
    ['autoscale', { max: 4, min: 1 }, { error: "ValueError('Autoscale not enabled')" }],
    ['heartbeat', {}, null],
    ['shutdown', {}, noReply],
  ])('%s %j', async (method, given, reply) => {
    expect(await makePanel().ask(method, given)).toEqual(reply)
  })

  it('does what it replies', async () => {
    const { ask, calls, worker, sent } = makePanel()
    await ask('revoke', { task_id: ['a', 7, 'b'], terminate: true })
    await ask('revoke_by_stamped_headers', { headers: ['visit=7'] })
    expect(calls.asked).toEqual([
      [['a', 'b'], { terminate: true }],
      [{ visit: ['7'] }, { terminate: false }],
    ])
    await ask('pool_grow', { n: 2 })
    await ask('pool_shrink')
    await ask('pool_restart')
    await ask('rate_limit', { task_name: 'ml.health_check', rate_limit: 5 })
    await ask('rate_limit', { task_name: 'ml.health_check', rate_limit: 0 })
    await ask('time_limit', { task_name: 'ml.health_check', soft: 1.5, hard: null })
    await ask('heartbeat')
    await ask('shutdown', { msg: 'bye' })
    expect(worker.asked).toEqual([
      2,
      -1,
      'restart',
      ['ml.health_check', '5'],
      ['ml.health_check', '0'],
      ['ml.health_check', { soft: 1.5, hard: undefined }],
      'shut down',
    ])
    expect(sent.beats).toBe(1)
  })

  it('adds and cancels queues', async () => {
    const { ask, calls } = makePanel()
    const replies = [await ask('add_consumer', { queue: 'q2' }), await ask('cancel_consumer', { queue: 'celery' })]
    expect(replies).toEqual([{ ok: 'add consumer q2' }, { ok: 'no longer consuming from celery' }])
    expect(calls.queues).toEqual(['q2'])
    expect(await ask('add_consumer', { queue: 7 })).toEqual({ error: "TypeError('queue must be a name')" })
  })

  it('turns the events of tasks on and off', async () => {
    const { ask } = makePanel()
    const replies = []
    for (const word of ['enable', 'enable', 'disable', 'disable']) replies.push(await ask(`${word}_events`))
    expect(replies).toEqual([
      { ok: 'task events enabled' },
      { ok: 'task events already enabled' },
      { ok: 'task events disabled' },
      { ok: 'task events already disabled' },
    ])
  })

  it('changes the limits of autoscaling instead of the pool', async () => {
    const { ask, worker } = makePanel()
    worker.isAutoscaled = true
    expect(await ask('autoscale', { max: 4 })).toEqual({ ok: 'autoscale now max=4 min=2' })
    const error = 'pool_grow is not supported with autoscale. Adjust autoscale range instead.'
    expect(await ask('pool_grow', { n: 1 })).toEqual({ error })
  })

  it('replies before children that are busy have been replaced', async () => {
    const { ask, worker } = makePanel()
    worker.restartPool = () => new Promise(() => undefined)
    expect(await ask('pool_restart')).toEqual({ ok: 'reload started' })
  })

  it('shows nothing of an error that is no fault of the caller', async () => {
    const { ask, calls } = makePanel()
    calls.listRevoked = () => Promise.reject(new Error('password=secret'))
    expect(await ask('revoked')).toEqual({ error: "RuntimeError('It failed; see the worker log.')" })
  })
})
