import { Processor } from '@nestjs/bullmq'
import { QueueProcessor } from './queue-processor.js'

/** Runs forecasts of a person's progression. */
@Processor('forecasts')
export class ForecastsProcessor extends QueueProcessor {}
