import { cell } from '../output.js'
import { toText } from '../report/report-text.js'
import { hasFacts, type Unavailable } from '../report/section.js'
import type {
  BrokerContents,
  CeleryFacts,
  DatabaseState,
  LaterMessages,
  QueueState,
  RedisState,
} from './celery-facts.js'

/** The facts as lines, a part after the other. Names are those of callers: they cannot steer a terminal. */
export const factsText = ({ broker, result_backend: backend, contents, database }: CeleryFacts): string =>
  toText({
    broker: redisOf(broker),
    'result backend': redisOf(backend),
    ...(contents && hasFacts(contents) && contentsOf(contents)),
    database: database === null ? 'not known here; set DATABASE_URL to see dead letters' : databaseOf(database),
  })

const redisOf = (redis: RedisState | Unavailable): string =>
  hasFacts(redis)
    ? `${redis.version} at ${redis.where}; maxmemory-policy ${redis.eviction_policy}; on disk: ${redis.persistence}`
    : 'not usable'

const contentsOf = ({ workers, queues, clients, later, unacked }: BrokerContents) => ({
  workers: Object.fromEntries(
    workers.map(({ name, software, queues: taken }) => [
      cell(name),
      cell(`${software}; queues ${taken.join(', ') || 'none'}`),
    ]),
  ),
  queues: Object.fromEntries(queues.map((queue) => [cell(queue.name), queueOf(queue)])),
  clients: Object.fromEntries(
    clients.map(({ release, messages, hosts }) => [
      cell(release),
      cell(`${counted(messages)} from ${hosts.join(', ')}`),
    ]),
  ),
  'for later': laterOf(later),
  unacknowledged:
    unacked.messages === 0
      ? 'none'
      : {
          messages: `${unacked.messages}, ${unacked.by_memoryguard} of them taken by MemoryGuard`,
          oldest: `${unacked.oldest_seconds ?? 0} s`,
          tasks: cellsOf(unacked.tasks),
          'for later': laterOf(unacked.later),
        },
})

const queueOf = ({ length, read, tasks, unreadable }: QueueState) =>
  length === 0
    ? '0'
    : {
        messages: read < length ? `${length}, of which ${read} were read` : length,
        ...cellsOf(tasks),
        ...(Object.keys(unreadable).length > 0 && { unreadable: cellsOf(unreadable) }),
      }

const cellsOf = (counts: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(counts).map(([name, count]) => [cell(name), count]))

const counted = (messages: number): string => `${messages} message${messages === 1 ? '' : 's'}`

const laterOf = ({ messages, last_in_seconds: last }: LaterMessages): string =>
  messages === 0 ? 'none' : `${counted(messages)}, the last in ${last ?? 0} s`

const databaseOf = (database: Exclude<CeleryFacts['database'], null>) =>
  hasFacts(database)
    ? {
        'calls of the last day': callsOf(database),
        'dead letters': database.dead_letters,
        'results not published': database.results_not_published,
      }
    : 'not usable'

const callsOf = ({ calls_of_last_day: calls, last_call_seconds_ago: seconds }: DatabaseState): string =>
  seconds === null ? `${calls}` : `${calls}, the last ${seconds} s ago`
