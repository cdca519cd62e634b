import { Module } from '@nestjs/common'
import { EventsModule } from '../events/events.module.js'
import { StatisticsController } from './statistics.controller.js'
import { StatisticsService } from './statistics.service.js'

/** Statistics over time and of now. */
@Module({ imports: [EventsModule], controllers: [StatisticsController], providers: [StatisticsService] })
export class StatisticsModule {}
