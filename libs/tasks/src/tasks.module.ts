import { queueNames, type Config } from '#libs/platform'
import { BullModule } from '@nestjs/bullmq'
import { Module, type DynamicModule } from '@nestjs/common'
import { brokerOptions, chooseBrokerBackend } from './broker/broker-options.js'
import { BrokerNotes } from './broker/broker-notes.js'
import { Broker } from './broker/broker.js'
import { Enqueuer } from './enqueuer.js'
import { FinishedLines } from './finished-lines.js'
import { FinishedTasks } from './finished-tasks.js'
import { QueueStandings } from './queue-standings.js'
import { PlanRunner } from './plans/plan-runner.js'
import { Reconciler } from './reconciler.js'
import { ResultParts } from './submission/async-result.js'
import { StatisticsWriter } from './statistics-writer.js'
import { Submissions } from './submission/submissions.js'

const services = [
  Broker,
  BrokerNotes,
  Enqueuer,
  FinishedLines,
  FinishedTasks,
  PlanRunner,
  QueueStandings,
  Reconciler,
  ResultParts,
  StatisticsWriter,
  Submissions,
]

/** The queues of every process and what adds jobs to them; the worker's processors consume them. */
@Module({})
export class TasksModule {
  /** Chooses the broker of this process, too. */
  static for(config: Config): DynamicModule {
    chooseBrokerBackend(config)
    return {
      module: TasksModule,
      global: true,
      imports: [
        BullModule.registerQueue(...queueNames.map((name) => ({ name, ...brokerOptions(config, 'producer', name) }))),
      ],
      providers: services,
      exports: services,
    }
  }
}
