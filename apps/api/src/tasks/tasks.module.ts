import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { BatchesModule } from '../batches/batches.module.js'
import { ModelsModule } from '../models/models.module.js'
import { taskClientProvider } from './task-client.provider.js'
import { TaskChanges } from './task-changes.js'
import { TaskDescriptions } from './task-descriptions.js'
import { TaskReplays } from './task-replays.js'
import { TaskResults } from './task-results.js'
import { TasksController } from './tasks.controller.js'
import { TasksService } from './tasks.service.js'

/** Tasks of every kind: submission by name, state, result, history, revoke, replay and retry. */
@Module({
  imports: [AccessModule, BatchesModule, ModelsModule],
  controllers: [TasksController],
  providers: [taskClientProvider, TaskChanges, TaskDescriptions, TaskReplays, TaskResults, TasksService],
  exports: [taskClientProvider, TaskResults, TasksService],
})
export class TaskRoutesModule {}
