import { Module } from '@nestjs/common'
import { ModelsModule } from '../models/models.module.js'
import { FinishedTasks } from './finished-tasks.js'
import { TasksController } from './tasks.controller.js'

/** What operators and waiting callers ask of tasks. */
@Module({
  imports: [ModelsModule],
  controllers: [TasksController],
  providers: [FinishedTasks],
  exports: [FinishedTasks],
})
export class OperationsModule {}
