import { Module } from '@nestjs/common'
import { Broker } from './broker/broker.js'
import { Dispatcher } from './dispatcher.js'
import { Reconciler } from './reconciler.js'

/** The producer's side of the task system. */
@Module({ providers: [Broker, Dispatcher, Reconciler], exports: [Broker, Dispatcher, Reconciler] })
export class TasksModule {}
