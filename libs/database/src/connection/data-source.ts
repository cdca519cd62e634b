import pg from 'pg'
import { DataSource } from 'typeorm'
import type { Config, Logger } from '#libs/platform'
import { advisoryLocks } from './advisory-lock.js'
import { explainFailure } from './connection-failure.js'
import { assertConnectionsFit, connectionOptions } from './connections.js'
import type { ConnectionKind } from './session-client.js'
import { assertNoForeignTables, readMigrations } from './migration-state.js'
import { SilentLogger } from './silent-logger.js'
import { ApiKeyEntity } from '../access/api-key.entity.js'
import { ForecastEntity } from '../forecasts/forecast.entity.js'
import { HealthMetricsEntity } from '../health-metrics/health-metrics.entity.js'
import { ExplanationEntity } from '../explanations/explanation.entity.js'
import { ModelActivationEntity } from '../models/model-activation.entity.js'
import { PlanEntity } from '../plans/plan.entity.js'
import { PredictionEntity } from '../predictions/prediction.entity.js'
import { ScheduleEntity } from '../schedules/schedule.entity.js'
import { TaskAttemptEntity } from '../tasks/task-attempt.entity.js'
import { TaskEntity } from '../tasks/task.entity.js'
import { WorkerEntity } from '../workers/worker.entity.js'
import { AuditOfPeople1764000011000 } from '../migrations/1764000011000-audit-of-people.js'
import { ChunkTasks1764000012000 } from '../migrations/1764000012000-chunk-tasks.js'
import { IndexOfEndedTasks1764000013000 } from '../migrations/1764000013000-index-of-ended-tasks.js'
import { CeleryCalls1764000019000 } from '../migrations/1764000019000-celery-calls.js'
import { TraceParents1764000018000 } from '../migrations/1764000018000-trace-parents.js'
import { Statistics1764000014000 } from '../migrations/1764000014000-statistics.js'
import { AuditChain1764000008000 } from '../migrations/1764000008000-audit-chain.js'
import { FirstTables1764000000000 } from '../migrations/1764000000000-first-tables.js'
import { Batches1764000004000 } from '../migrations/1764000004000-batches.js'
import { HealthMetricsAndForecasts1764000002000 } from '../migrations/1764000002000-health-metrics-and-forecasts.js'
import { Explanations1764000001000 } from '../migrations/1764000001000-explanations.js'
import { ModelActivations1764000001500 } from '../migrations/1764000001500-model-activations.js'
import { Retention1764000006000 } from '../migrations/1764000006000-retention.js'
import { BootstrapKey1764000008500 } from '../migrations/1764000008500-bootstrap-key.js'
import { EventsAndWebhooks1764000007000 } from '../migrations/1764000007000-events-and-webhooks.js'
import { IndexesOfLists1764000010000 } from '../migrations/1764000010000-indexes-of-lists.js'
import { Operations1764000003000 } from '../migrations/1764000003000-operations.js'
import { Plans1764000017000 } from '../migrations/1764000017000-plans.js'
import { Search1764000016000 } from '../migrations/1764000016000-search.js'
import { Schedules1764000005000 } from '../migrations/1764000005000-schedules.js'
import { Sessions1764000015000 } from '../migrations/1764000015000-sessions.js'

/**
 * How the connections of a process are shared between `PreparedStatements` and everything else. Two chores of a worker
 * hold a connection each while they work, and need others to work with.
 */
export const poolSizes = ({ database: { poolSize } }: Config) => {
  const prepared = Math.floor((poolSize - 2) / 2)
  return { prepared, other: poolSize - prepared }
}

/**
 * The connection pool of a process. `config.database.url` must be set: the launcher sets it when it runs the
 * embedded server.
 * @throws MemoryGuardError CONFIG_INVALID without a URL.
 */
export const createDataSource = (config: Config, kind: ConnectionKind = {}): DataSource => {
  const connections = connectionOptions(config, kind)
  return new DataSource({
    type: 'postgres',
    // Otherwise TypeORM loads a second one, which is not in the bundle.
    driver: pg,
    poolSize: poolSizes(config).other,
    entities: [
      TaskEntity,
      TaskAttemptEntity,
      PredictionEntity,
      WorkerEntity,
      ApiKeyEntity,
      ExplanationEntity,
      ModelActivationEntity,
      HealthMetricsEntity,
      ForecastEntity,
      ScheduleEntity,
      PlanEntity,
    ],
    migrations: [
      FirstTables1764000000000,
      Explanations1764000001000,
      ModelActivations1764000001500,
      HealthMetricsAndForecasts1764000002000,
      Operations1764000003000,
      Batches1764000004000,
      Schedules1764000005000,
      Retention1764000006000,
      EventsAndWebhooks1764000007000,
      AuditChain1764000008000,
      BootstrapKey1764000008500,
      IndexesOfLists1764000010000,
      AuditOfPeople1764000011000,
      ChunkTasks1764000012000,
      IndexOfEndedTasks1764000013000,
      Statistics1764000014000,
      Sessions1764000015000,
      Search1764000016000,
      Plans1764000017000,
      TraceParents1764000018000,
      CeleryCalls1764000019000,
    ],
    migrationsTransactionMode: 'each',
    synchronize: false,
    installExtensions: false,
    logger: new SilentLogger(),
    extra: connections,
  })
}

/** How often a process checks whether another one has finished the migrations, in milliseconds. */
const migrationPollMs = 200

/** Brings the schema up to date; of several processes that call it at once, one works and the others wait for it. */
export const runMigrations = async (dataSource: DataSource): Promise<readonly string[]> => {
  const runner = dataSource.createQueryRunner()
  // A lock that ends with its transaction cannot be left behind in a server that a pooler lends to others.
  await runner.startTransaction()
  try {
    // An index that is made concurrently waits for every snapshot. A statement that waits for the lock would hold one, and
    // so would one with parameters: the server keeps its portal until the transaction ends.
    for (;;) {
      const [row]: { locked: boolean }[] = await runner.query(
        `SELECT pg_try_advisory_xact_lock(${advisoryLocks.migrations}) AS locked`,
      )
      if (row?.locked) break
      await new Promise((resolve) => setTimeout(resolve, migrationPollMs))
    }
    await assertNoForeignTables(dataSource)
    const done = await dataSource.runMigrations()
    await runner.commitTransaction()
    return done.map(({ name }) => name)
  } catch (error) {
    await runner.rollbackTransaction()
    throw error
  } finally {
    await runner.release()
  }
}

/**
 * Connects and waits until the schema is up to date; a process never alters it by itself.
 * @throws MemoryGuardError DATABASE_UNAVAILABLE or CONFIG_INVALID with what to do, if waiting will not help.
 */
export const connectWhenMigrated = async (
  dataSource: DataSource,
  config: Config,
  log: Logger,
  retryMs = 500,
): Promise<void> => {
  let said = ''
  let isFit = false
  for (;;) {
    let reason: string
    try {
      if (!dataSource.isInitialized) await dataSource.initialize()
      if (!isFit) await assertConnectionsFit(config)
      isFit = true
      const { pending, newer } = await readMigrations(dataSource)
      if (newer.length > 0 && pending.length === 0)
        log.warn({ migrations: newer }, 'database migrated by a newer version; this one works with what that adds')
      if (pending.length === 0) return
      await assertNoForeignTables(dataSource)
      reason = 'The database schema is not up to date: run `npx memoryguard migrate`. Waiting for it.'
    } catch (error) {
      const failure = explainFailure(error)
      if (failure.isLasting) throw failure.toError()
      reason = `${failure.sentence} Trying again.`
    }
    if (reason !== said) log.warn(reason)
    said = reason
    await new Promise((resolve) => setTimeout(resolve, retryMs))
  }
}
