import { CallsModule } from '#libs/calls'
import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { BatchesController } from './batches.controller.js'
import { BatchesService } from './batches.service.js'

@Module({
  imports: [AccessModule, CallsModule],
  controllers: [BatchesController],
  providers: [BatchesService],
})
export class BatchesModule {}
