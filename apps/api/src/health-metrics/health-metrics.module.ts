import { Module } from '@nestjs/common'
import { ModelsModule } from '../models/models.module.js'
import { HealthMetricsController } from './health-metrics.controller.js'

/** Dated measurements of people. */
@Module({ imports: [ModelsModule], controllers: [HealthMetricsController] })
export class HealthMetricsModule {}
