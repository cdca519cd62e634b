import { CallsModule } from '#libs/calls'
import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { ModelsController } from './models.controller.js'
import { ModelsService } from './models.service.js'

@Module({
  imports: [AccessModule, CallsModule],
  controllers: [ModelsController],
  providers: [ModelsService],
})
export class ModelsModule {}
