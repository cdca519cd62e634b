import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { ModelsModule } from '../models/models.module.js'
import { ExplanationsController } from './explanations.controller.js'
import { ExplanationsService } from './explanations.service.js'

@Module({
  imports: [AccessModule, ModelsModule],
  controllers: [ExplanationsController],
  providers: [ExplanationsService],
})
export class ExplanationsModule {}
