import { TasksModule } from '#libs/tasks'
import { Module } from '@nestjs/common'
import { ModelsModule } from '../models/models.module.js'
import { taskClientProvider } from './task-client.provider.js'
import { TaskResults } from './task-results.js'
import { TasksController } from './tasks.controller.js'
import { TasksService } from './tasks.service.js'

/** What operators and waiting callers ask of tasks. */
@Module({
  imports: [TasksModule, ModelsModule],
  controllers: [TasksController],
  providers: [taskClientProvider, TaskResults, TasksService],
})
export class OperationsModule {}
