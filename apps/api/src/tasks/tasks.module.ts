import { CallsModule } from '#libs/calls'
import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { TaskChanges } from './task-changes.js'
import { TaskDescriptions } from './task-descriptions.js'
import { TaskFailures } from './task-failures.js'
import { TaskReplays } from './task-replays.js'
import { TaskSearchController } from './task-search.controller.js'
import { TaskSuggestions } from './task-suggestions.js'
import { TasksController } from './tasks.controller.js'
import { TasksService } from './tasks.service.js'

/** Tasks of every kind: submission by name, state, result, history, revoke, replay and retry. */
@Module({
  imports: [AccessModule, CallsModule],
  controllers: [TaskSearchController, TasksController],
  providers: [TaskChanges, TaskDescriptions, TaskFailures, TaskReplays, TaskSuggestions, TasksService],
  exports: [CallsModule, TasksService],
})
export class TaskRoutesModule {}
