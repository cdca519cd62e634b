import { Module } from '@nestjs/common'
import { BrokerNotes } from './broker/broker-notes.js'
import { Broker } from './broker/broker.js'
import { Dispatcher } from './dispatcher.js'
import { FinishedTasks } from './finished-tasks.js'
import { Reconciler } from './reconciler.js'

/** The producer's side of the task system. */
@Module({
  providers: [Broker, BrokerNotes, Dispatcher, FinishedTasks, Reconciler],
  exports: [Broker, BrokerNotes, Dispatcher, FinishedTasks, Reconciler],
})
export class TasksModule {}
