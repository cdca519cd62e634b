import { ReadinessModule } from '#libs/health'
import { Module } from '@nestjs/common'
import { ModelsModule } from '../models/models.module.js'
import { ApiReadiness } from './api-readiness.js'
import { ApiMetrics } from './api-metrics.js'
import { HealthController } from './health.controller.js'
import { Lifecycle } from './lifecycle.js'

@Module({
  imports: [ReadinessModule, ModelsModule],
  controllers: [HealthController],
  providers: [ApiMetrics, ApiReadiness, Lifecycle],
  exports: [ApiReadiness, Lifecycle, ApiMetrics],
})
export class HealthModule {}
