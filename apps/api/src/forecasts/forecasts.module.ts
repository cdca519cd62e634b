import { CallsModule } from '#libs/calls'
import { Module } from '@nestjs/common'
import { ForecastsController } from './forecasts.controller.js'
import { ForecastsService } from './forecasts.service.js'

/** Progression forecasts of people. */
@Module({
  imports: [CallsModule],
  controllers: [ForecastsController],
  providers: [ForecastsService],
})
export class ForecastsModule {}
