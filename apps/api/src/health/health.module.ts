import { ReadinessModule } from '#libs/health'
import { Module } from '@nestjs/common'
import { ModelsModule } from '../models/models.module.js'
import { ApiReadiness } from './api-readiness.js'
import { ApiMetrics } from './api-metrics.js'
import { HealthController } from './health.controller.js'

@Module({
  imports: [ReadinessModule, ModelsModule],
  controllers: [HealthController],
  providers: [ApiMetrics, ApiReadiness],
  exports: [ApiReadiness, ApiMetrics],
})
export class HealthModule {}
