import { Module } from '@nestjs/common'
import { ModelsModule } from '../models/models.module.js'
import { ForecastsController } from './forecasts.controller.js'
import { ForecastsService } from './forecasts.service.js'

/** Progression forecasts of people. */
@Module({
  imports: [ModelsModule],
  controllers: [ForecastsController],
  providers: [ForecastsService],
})
export class ForecastsModule {}
