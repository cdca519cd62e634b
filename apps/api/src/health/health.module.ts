import { Module } from '@nestjs/common'
import { TerminusModule } from '@nestjs/terminus'
import { ModelsModule } from '../models/models.module.js'
import { ApiMetrics } from './api-metrics.js'
import { HealthController } from './health.controller.js'
import { Lifecycle } from './lifecycle.js'

@Module({
  imports: [TerminusModule.forRoot({ logger: false }), ModelsModule],
  controllers: [HealthController],
  providers: [ApiMetrics, Lifecycle],
  exports: [Lifecycle, ApiMetrics],
})
export class HealthModule {}
