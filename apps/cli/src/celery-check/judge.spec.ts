import { expect, it } from 'vitest'
import type { AnsweringWorker, BrokerContents, CeleryFacts, DatabaseState } from './celery-facts.js'
import { factsText } from './facts-text.js'
import { judge } from './judge.js'

const redis = {
  where: 'redis:6379, database 1',
  version: 'redis 7.2.4',
  max_memory_bytes: 0,
  eviction_policy: 'noeviction',
  persistence: 'append-only file',
}
const ours: AnsweringWorker = {
  name: 'memoryguard@one',
  software: 'memoryguard 0.1.0',
  is_memoryguard: true,
  queues: ['celery', 'predictions'],
  tasks: ['ml.process_prediction'],
  visibility_timeout_seconds: null,
  acks_late: false,
  time_limit_seconds: 1800,
}
const old: AnsweringWorker = {
  ...ours,
  name: 'celery@old',
  software: 'celery 5.2.7',
  is_memoryguard: false,
  queues: ['celery'],
  tasks: ['ml.process_prediction', 'patterns.detect'],
  visibility_timeout_seconds: 3600,
}
const none = { messages: 0, last_in_seconds: null }
const contents: BrokerContents = {
  workers: [ours],
  queues: [],
  clients: [],
  later: none,
  unacked: { messages: 0, by_memoryguard: 0, oldest_seconds: null, tasks: {}, later: none },
}
const stored: DatabaseState = {
  calls_of_last_day: 7,
  last_call_seconds_ago: 40,
  dead_letters: 0,
  newest_dead_letters: [],
  results_not_published: 0,
  oldest_result_seconds: null,
}
const facts: CeleryFacts = {
  broker: redis,
  result_backend: { ...redis, where: 'redis:6379, database 2' },
  contents,
  database: stored,
  served_queues: ['celery', 'predictions'],
}
const judged = (more: Partial<CeleryFacts>) => judge({ ...facts, ...more }, (name) => name === 'ml.process_prediction')
const judgedContents = (more: Partial<BrokerContents>) => judged({ contents: { ...contents, ...more } })
const queue = (name: string, tasks: Record<string, number>, unreadable: Record<string, number> = {}) => ({
  name,
  length: 5,
  read: 5,
  tasks,
  unreadable,
})

it('finds nothing to say where all is well', () => {
  expect(judged({})).toEqual({ faults: [], notes: [] })
  expect(judgedContents({ queues: [queue('celery', { 'ml.process_prediction': 5 })] })).toEqual({
    faults: [],
    notes: [],
  })
})

it('says of tasks that wait who would take them', () => {
  const queues = [
    queue('celery', { 'ml.process_prediction': 1, 'patterns.detect': 1, 'ml.old': 1 }),
    queue('high', { 'ml.process_prediction': 1 }),
    queue('predictions', { 'ml.process_prediction': 1, 'patterns.detect': 1 }),
  ]
  expect(judgedContents({ queues })).toEqual({
    faults: [
      'ml.process_prediction waits in high, which no worker serves. Add high to CELERY_QUEUES of the workers.',
      'ml.old waits in celery, and there is no such task: its callers get NotRegistered. Correct the name.',
      'patterns.detect waits in celery, predictions, and no worker that replies takes it. Start a Celery worker that has it, or stop sending it.',
    ],
    notes: [],
  })
  expect(judgedContents({ queues: queues.slice(2), workers: [] })).toEqual({
    faults: [
      'ml.process_prediction waits in predictions, and no worker that replies takes it. Start a worker with CELERY_BROKER_URL.',
      'patterns.detect waits in predictions, and no worker that replies takes it. Start a Celery worker that has it, or stop sending it.',
    ],
    notes: ['No MemoryGuard worker replies here. Start one with CELERY_BROKER_URL.'],
  })
  expect(judgedContents({ queues: [queue('celery', { 'patterns.detect': 1 })], workers: [ours, old] })).toEqual({
    faults: [],
    notes: [
      'celery@old (celery 5.2.7) takes ml.* calls too: it computes them with the old code.',
      'patterns.detect in celery is taken by Celery workers alone: keep one of them until nobody sends it any more.',
    ],
  })
})

it('says what cannot be read', () => {
  expect(judgedContents({ queues: [queue('celery', {}, { 'The body is pickled.': 2 })] }).faults).toEqual([
    '2 messages in celery cannot be read: The body is pickled.',
  ])
})

it('warns of messages that Celery workers hold', () => {
  const unacked = { messages: 3, by_memoryguard: 1, oldest_seconds: 40, tasks: {}, later: none }
  expect(judgedContents({ unacked }).faults).toEqual([
    '2 messages (the oldest taken 40 s ago) are held by Celery workers that do not reply. If they have ended, start one of them once more: it gives the messages back after its visibility_timeout.',
  ])
  const workers = [ours, { ...old, tasks: [] }]
  expect(judgedContents({ unacked, workers })).toEqual({ faults: [], notes: [] })
  const later = { messages: 1, last_in_seconds: 7200 }
  expect(judgedContents({ unacked: { ...unacked, later }, workers }).faults).toEqual([
    '1 message with an eta of up to 7200 s from now is held by Celery workers, and celery@old hands them out again after 3600 s: they run more than once. Raise visibility_timeout there, or stop its workers, which gives the messages to ours.',
  ])
  const hasty = { ...old, tasks: [], acks_late: true, visibility_timeout_seconds: 60 }
  expect(judgedContents({ workers: [ours, hasty] }).notes).toEqual([
    'celery@old hands out again after 60 s what it has not finished: its longer tasks run twice. Raise visibility_timeout above its time limit.',
  ])
})

it('warns of settings of Redis that lose calls and results', () => {
  const lossy = { ...redis, max_memory_bytes: 1000, eviction_policy: 'volatile-lru', persistence: 'none' }
  expect(judged({ broker: { ...lossy, eviction_policy: 'allkeys-lru' }, result_backend: lossy })).toEqual({
    faults: [],
    notes: [
      'The broker of Celery may evict calls (maxmemory-policy allkeys-lru), and they are lost then. Set it to noeviction.',
      'The broker of Celery keeps nothing on disk: calls in it are lost when it ends. Set appendonly to yes.',
      'The result backend of Celery may evict results (maxmemory-policy volatile-lru), and they are lost then. Set it to noeviction.',
      'The result backend of Celery keeps nothing on disk: results in it are lost when it ends. Set appendonly to yes.',
    ],
  })
  expect(judged({ broker: { ...lossy, persistence: 'snapshots' } }).notes).toEqual([])
})

it('says what did not reach its end, and names what cannot be reached', () => {
  const letter = { task: 'ml.process_prediction', queue: 'celery', reason: 'The body is pickled.', seconds_ago: 60 }
  const database = { ...stored, dead_letters: 2, results_not_published: 1, oldest_result_seconds: 90 }
  expect(judged({ database: { ...database, newest_dead_letters: [letter, letter] } })).toEqual({
    faults: [
      'Messages of the last hour could not be read: The body is pickled.',
      '1 result is not published, the oldest for 90 s. Is a worker with CELERY_BROKER_URL running, and can it write to CELERY_RESULT_BACKEND?',
    ],
    notes: [],
  })
  const older = { ...letter, seconds_ago: 7200 }
  expect(judged({ database: { ...database, oldest_result_seconds: 5, newest_dead_letters: [older] } })).toEqual({
    faults: [],
    notes: ['2 messages of the last 7 days could not be read, the last one 2 h ago: The body is pickled.'],
  })
  const unavailable = 'The broker of Celery at redis:6379 does not respond.'
  expect(judged({ broker: { unavailable }, contents: null, database: null })).toEqual({
    faults: [unavailable],
    notes: [],
  })
})

it('shows what it saw, without letting a name steer the terminal', () => {
  const text = factsText({
    ...facts,
    contents: {
      ...contents,
      queues: [{ ...queue('celery', { 'patterns.\u001b[31mx\n': 2 }, { 'The body is pickled.': 3 }), length: 900 }],
      clients: [{ release: 'Celery 5.3 or newer', messages: 2, hosts: ['web1', 'web2'] }],
      later: { messages: 1, last_in_seconds: 30 },
    },
  })
  expect(text)
    .toBe(`broker: redis 7.2.4 at redis:6379, database 1; maxmemory-policy noeviction; on disk: append-only file
result backend: redis 7.2.4 at redis:6379, database 2; maxmemory-policy noeviction; on disk: append-only file
workers:
  memoryguard@one: memoryguard 0.1.0; queues celery, predictions
queues:
  celery:
    messages: 900, of which 5 were read
    patterns.\\x1b[31mx\\x0a: 2
    unreadable:
      The body is pickled.: 3
clients:
  Celery 5.3 or newer: 2 messages from web1, web2
for later: 1 message, the last in 30 s
unacknowledged: none
database:
  calls of the last day: 7, the last 40 s ago
  dead letters: 0
  results not published: 0`)
})
