import { CallsModule } from '#libs/calls'
import { ReadinessModule } from '#libs/health'
import { Module } from '@nestjs/common'
import { ApiReadiness } from './api-readiness.js'
import { ApiMetrics } from './api-metrics.js'
import { HealthController } from './health.controller.js'
import { QueueGauges } from './queue-gauges.js'

@Module({
  imports: [ReadinessModule, CallsModule],
  controllers: [HealthController],
  providers: [ApiMetrics, ApiReadiness, QueueGauges],
  exports: [ApiReadiness, ApiMetrics],
})
export class HealthModule {}
