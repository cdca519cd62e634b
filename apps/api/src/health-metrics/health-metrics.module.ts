import { CallsModule } from '#libs/calls'
import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { HealthMetricsController } from './health-metrics.controller.js'

/** Dated measurements of people. */
@Module({ imports: [AccessModule, CallsModule], controllers: [HealthMetricsController] })
export class HealthMetricsModule {}
