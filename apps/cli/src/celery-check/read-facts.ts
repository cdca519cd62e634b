import { nameOfHost, parseCeleryUrl, type CeleryConfig, type Config } from '#libs/platform'
import { withDatabase } from '../report/read-database.js'
import { hasFacts, sectionOf } from '../report/section.js'
import type { BrokerContents, CeleryFacts, DatabaseState, RedisState } from './celery-facts.js'
import { groupClients, toLater, toQueueState, toUnackedState } from './summarise-messages.js'
import { questions, toWorkers } from './read-workers.js'

/** How long the replies of workers are waited for, and how long the broker may take for all its queues, in milliseconds. */
const replyMs = 2_000
const contentsMs = 60_000

/** Reads everything that `memoryguard celery check` shows. Nothing of Celery is changed. */
export const readCeleryFacts = async (config: Config, celery: CeleryConfig): Promise<CeleryFacts> => {
  const [broker, backend, database] = await Promise.all([
    sectionOf('The broker of Celery', () => readRedis('broker', celery.brokerUrl)),
    sectionOf('The result backend of Celery', () => readRedis('backend', celery.resultBackend)),
    config.database.url === undefined ? null : sectionOf('The database', () => readDatabase(config)),
  ])
  const contents = hasFacts(broker)
    ? await sectionOf('The broker of Celery', () => readContents(celery), contentsMs)
    : null
  return { broker, result_backend: backend, contents, database, served_queues: celery.queues }
}

const readRedis = async (part: 'broker' | 'backend', url: string): Promise<RedisState> => {
  const { probeCelery } = await import('#libs/tasks/broker-probe')
  const { kind, version, maxMemory, evictionPolicy, persistence } = await probeCelery(part, url)
  return {
    where: whereOf(url),
    version: `${kind} ${version ?? ''}`.trim(),
    max_memory_bytes: maxMemory ?? null,
    eviction_policy: evictionPolicy ?? 'unknown',
    persistence,
  }
}

const whereOf = (url: string): string => {
  const parsed = parseCeleryUrl(url)
  if ('fault' in parsed) return ''
  const { hosts, database, keyPrefix, sentinel } = parsed.address
  const master = sentinel ? `, master ${sentinel.masterName}` : ''
  const prefix = keyPrefix === '' ? '' : `, keys ${keyPrefix}*`
  return `${hosts.map(nameOfHost).join(' ')}${master}, database ${database}${prefix}`
}

const readContents = async ({ brokerUrl, resultBackend, queues }: CeleryConfig): Promise<BrokerContents> => {
  const { askWorkers, CeleryConnections, CelerySurvey } = await import('#libs/celery')
  const connections = new CeleryConnections({ brokerUrl, resultBackend })
  try {
    await connections.broker.connect()
    const survey = new CelerySurvey(connections)
    const [found, unacked, replies] = await Promise.all([
      survey.readQueues(queues),
      survey.readUnacked(),
      askWorkers(connections, questions, replyMs),
    ])
    const messages = [...found.flatMap(({ sample }) => sample), ...unacked.sample]
    const now = Date.now()
    return {
      workers: toWorkers(replies),
      queues: found.map(toQueueState),
      clients: groupClients(messages),
      later: toLater(
        found.flatMap(({ sample }) => sample),
        now,
      ),
      unacked: toUnackedState(unacked, now),
    }
  } finally {
    connections.close()
  }
}

const readDatabase = (config: Config): Promise<DatabaseState> =>
  withDatabase(config, async (dataSource) => {
    const { CeleryArrearsRepository } = await import('#libs/database')
    const read = await new CeleryArrearsRepository(dataSource).read()
    return {
      calls_of_last_day: read.callsOfDay,
      last_call_seconds_ago: rounded(read.lastCallSeconds),
      dead_letters: read.deadLetters,
      newest_dead_letters: read.newest.map(({ secondsAgo, ...rest }) => ({
        ...rest,
        seconds_ago: Math.round(secondsAgo),
      })),
      results_not_published: read.undelivered,
      oldest_result_seconds: rounded(read.oldestSeconds),
    }
  })

const rounded = (seconds: number | null): number | null => (seconds === null ? null : Math.round(seconds))
