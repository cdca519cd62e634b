import type { Unavailable } from '../report/section.js'

/** A Redis of Celery that can be used. */
export interface RedisState {
  /** Host, port and database. */
  readonly where: string
  /** Such as `redis 7.2.4`. */
  readonly version: string
  readonly max_memory_bytes: number | null
  readonly eviction_policy: string
  readonly persistence: string
}

/** A worker that has replied, one of ours or one of Celery's. */
export interface AnsweringWorker {
  readonly name: string
  /** Such as `celery 5.7.0`. */
  readonly software: string
  readonly is_memoryguard: boolean
  /** Queues from which it takes calls. */
  readonly queues: readonly string[]
  readonly tasks: readonly string[]
  /** After this time Redis hands out again what a Celery worker has not acknowledged; null for our workers. */
  readonly visibility_timeout_seconds: number | null
  /** Whether it acknowledges a task only when that has ended, and how long that may take. */
  readonly acks_late: boolean
  readonly time_limit_seconds: number | null
}

/** What waits in a queue. Counts by task and reason are those of the messages that were read. */
export interface QueueState {
  readonly name: string
  readonly length: number
  readonly read: number
  readonly tasks: Readonly<Record<string, number>>
  /** Messages that cannot be read, by reason. */
  readonly unreadable: Readonly<Record<string, number>>
}

/** Clients whose messages look alike. */
export interface ClientGroup {
  readonly release: string
  readonly messages: number
  readonly hosts: readonly string[]
}

/** Messages that are to run later. */
export interface LaterMessages {
  readonly messages: number
  /** Seconds until the last of them is to run. */
  readonly last_in_seconds: number | null
}

/** Messages that consumers have taken and not acknowledged. */
export interface UnackedState {
  readonly messages: number
  readonly by_memoryguard: number
  readonly oldest_seconds: number | null
  /** Those of others, as far as they were read. */
  readonly tasks: Readonly<Record<string, number>>
  readonly later: LaterMessages
}

/** What stands in the broker. */
export interface BrokerContents {
  readonly workers: readonly AnsweringWorker[]
  readonly queues: readonly QueueState[]
  readonly clients: readonly ClientGroup[]
  readonly later: LaterMessages
  readonly unacked: UnackedState
}

/** What the database knows of the calls that our workers have taken. */
export interface DatabaseState {
  readonly calls_of_last_day: number
  readonly last_call_seconds_ago: number | null
  readonly dead_letters: number
  readonly newest_dead_letters: readonly {
    readonly task: string
    readonly queue: string
    readonly reason: string
    readonly seconds_ago: number
  }[]
  readonly results_not_published: number
  readonly oldest_result_seconds: number | null
}

/** All that `memoryguard celery check` has seen. A part that could not be read says why. */
export interface CeleryFacts {
  readonly broker: RedisState | Unavailable
  readonly result_backend: RedisState | Unavailable
  /** Null if the broker cannot be used. */
  readonly contents: BrokerContents | Unavailable | null
  /** Null if no database is known here. */
  readonly database: DatabaseState | Unavailable | null
  /** Celery queues that our workers serve by their settings. */
  readonly served_queues: readonly string[]
}
