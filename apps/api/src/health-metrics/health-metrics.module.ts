import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { ModelsModule } from '../models/models.module.js'
import { HealthMetricsController } from './health-metrics.controller.js'

/** Dated measurements of people. */
@Module({ imports: [AccessModule, ModelsModule], controllers: [HealthMetricsController] })
export class HealthMetricsModule {}
