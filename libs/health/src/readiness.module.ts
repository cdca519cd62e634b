import { Module } from '@nestjs/common'
import { TerminusModule } from '@nestjs/terminus'
import { Readiness } from './readiness.js'

/** Readiness of api and worker, by Terminus. */
@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  providers: [Readiness],
  exports: [Readiness],
})
export class ReadinessModule {}
