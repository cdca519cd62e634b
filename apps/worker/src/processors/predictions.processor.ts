import { Processor } from '@nestjs/bullmq'
import { QueueProcessor } from './queue-processor.js'

/** Runs predictions, up to 64 of them in one inference call. */
@Processor('predictions')
export class PredictionsProcessor extends QueueProcessor {}
