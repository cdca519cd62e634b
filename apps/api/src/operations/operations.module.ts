import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { BatchesModule } from '../batches/batches.module.js'
import { ModelsModule } from '../models/models.module.js'
import { QueuesController } from './queues.controller.js'
import { SchedulesController } from './schedules.controller.js'
import { SchedulesService } from './schedules.service.js'
import { taskClientProvider } from './task-client.provider.js'
import { TaskResults } from './task-results.js'
import { TasksController } from './tasks.controller.js'
import { TasksService } from './tasks.service.js'
import { WorkersController } from './workers.controller.js'

/** What operators and waiting callers ask of tasks. */
@Module({
  imports: [AccessModule, BatchesModule, ModelsModule],
  controllers: [QueuesController, SchedulesController, TasksController, WorkersController],
  providers: [taskClientProvider, TaskResults, TasksService, SchedulesService],
})
export class OperationsModule {}
