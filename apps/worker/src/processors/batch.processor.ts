import { Processor } from '@nestjs/bullmq'
import { QueueProcessor } from './queue-processor.js'

/** Runs chunks of batches, one at a time in each compute child. */
@Processor('batch')
export class BatchProcessor extends QueueProcessor {}
