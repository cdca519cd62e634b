import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { EventHub } from './event-hub.js'
import { EventStreams } from './event-streams.js'
import { EventsController } from './events.controller.js'
import { TaskFollower } from './task-follower.js'

/** What happens to tasks, as it happens. */
@Module({
  imports: [AccessModule],
  controllers: [EventsController],
  providers: [EventHub, EventStreams, TaskFollower],
  exports: [EventStreams],
})
export class EventsModule {}
