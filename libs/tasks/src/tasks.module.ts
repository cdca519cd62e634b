import { Module } from '@nestjs/common'
import { Broker } from './broker/broker.js'
import { Dispatcher } from './dispatcher.js'
import { FinishedTasks } from './finished-tasks.js'
import { Reconciler } from './reconciler.js'

/** The producer's side of the task system. */
@Module({
  providers: [Broker, Dispatcher, FinishedTasks, Reconciler],
  exports: [Broker, Dispatcher, FinishedTasks, Reconciler],
})
export class TasksModule {}
