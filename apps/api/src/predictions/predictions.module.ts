import { CallsModule } from '#libs/calls'
import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { PredictionsController } from './predictions.controller.js'
import { PredictionsService } from './predictions.service.js'

@Module({
  imports: [AccessModule, CallsModule],
  controllers: [PredictionsController],
  providers: [PredictionsService],
})
export class PredictionsModule {}
