import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { ModelsModule } from '../models/models.module.js'
import { BatchSubmitter } from './batch-submitter.js'
import { BatchesController } from './batches.controller.js'
import { BatchesService } from './batches.service.js'

@Module({
  imports: [AccessModule, ModelsModule],
  controllers: [BatchesController],
  providers: [BatchesService, BatchSubmitter],
  exports: [BatchSubmitter],
})
export class BatchesModule {}
