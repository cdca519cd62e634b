import { CallsModule } from '#libs/calls'
import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { ExplanationsController } from './explanations.controller.js'
import { ExplanationsService } from './explanations.service.js'

@Module({
  imports: [AccessModule, CallsModule],
  controllers: [ExplanationsController],
  providers: [ExplanationsService],
})
export class ExplanationsModule {}
