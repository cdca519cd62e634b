import { Processor } from '@nestjs/bullmq'
import { QueueProcessor } from './queue-processor.js'

/** Runs explanations (SHAP values). */
@Processor('explanations')
export class ExplanationsProcessor extends QueueProcessor {}
