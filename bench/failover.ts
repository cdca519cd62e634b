/**
 * What a failover costs: the product under a steady load while a server that it needs fails.
 *
 *   npm run bench:failover -- redis-cluster [...] [--rate 1000] [--before 10] [--after 30] [--broker redis|postgres] [--older DIR]
 *
 * Prints a line of JSON for each scenario: submissions, requests that were refused (and repeated), tasks lost, doubled and
 * started more than once, the longest time in which no task ended, and the time until tasks took less than a second again.
 * `--broker` is that of the scenarios of PostgreSQL and of `rolling-update`, which begins with the older build in `--older`, if given.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startPostgresPartition } from './failover/postgres-partition.js'
import { startPostgresPromotion } from './failover/postgres-promotion.js'
import { startRedisClusterFailover } from './failover/redis-cluster.js'
import { startRedisPartition } from './failover/redis-partition.js'
import { startRedisRestart } from './failover/redis-restart.js'
import { startRedisSentinelFailover } from './failover/redis-sentinel.js'
import { startRollingUpdate } from './failover/rolling-update.js'
import type { StartScenario } from './failover/scenario.js'
import { SteadyLoad } from '../test/support/steady-load.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rate: { type: 'string', default: '1000' },
    before: { type: 'string', default: '10' },
    after: { type: 'string', default: '30' },
    broker: { type: 'string', default: 'redis' },
    older: { type: 'string' },
  },
})

const broker = values.broker === 'postgres' ? 'postgres' : 'redis'

const scenarios: Readonly<Record<string, StartScenario>> = {
  'redis-restart': startRedisRestart,
  'redis-cluster': startRedisClusterFailover,
  'redis-sentinel': startRedisSentinelFailover,
  'redis-partition-api': () => startRedisPartition('api'),
  'redis-partition-workers': () => startRedisPartition('workers'),
  'postgres-promotion': startPostgresPromotion(broker, true),
  'postgres-promotion-asynchronous': startPostgresPromotion(broker, false),
  'postgres-partition-api': startPostgresPartition(broker, 'api'),
  'postgres-partition-workers': startPostgresPartition(broker, 'workers'),
  'rolling-update': startRollingUpdate(broker, values.older),
}

const measure = async (name: string, start: StartScenario) => {
  const scenario = await start()
  try {
    const load = new SteadyLoad(scenario.target, Number(values.rate))
    load.start()
    await pause(Number(values.before) * 1000)
    await scenario.fail(() => load.markFault())
    await pause(Number(values.after) * 1000)
    const report = await load.stop()
    const outcome = await load.readOutcome(scenario.databaseUrl)
    process.stdout.write(`${JSON.stringify({ scenario: name, rate: Number(values.rate), ...report, ...outcome })}\n`)
  } finally {
    await scenario.stop()
  }
}

const names = Object.keys(scenarios)
if (positionals.length === 0) throw new Error(`Name a scenario: ${names.join(', ')}.`)
for (const name of positionals) {
  const start = scenarios[name]
  if (!start) throw new Error(`There is no scenario ${name}; there are ${names.join(', ')}.`)
  await measure(name, start)
}
