import { Module } from '@nestjs/common'
import { FinishedTasks } from './finished-tasks.js'
import { TasksController } from './tasks.controller.js'

/** What operators and waiting callers ask of tasks. */
@Module({ controllers: [TasksController], providers: [FinishedTasks], exports: [FinishedTasks] })
export class OperationsModule {}
