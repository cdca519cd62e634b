import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { TaskRoutesModule } from '../tasks/tasks.module.js'
import { SchedulesController } from './schedules.controller.js'
import { SchedulesService } from './schedules.service.js'

/** Schedules: tasks that are sent at set times. */
@Module({
  imports: [AccessModule, TaskRoutesModule],
  controllers: [SchedulesController],
  providers: [SchedulesService],
})
export class SchedulesModule {}
