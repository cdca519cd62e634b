import { SharedResult } from '#libs/health'
import { Lifecycle } from '#libs/platform'
import { Controller, Get, Res } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { Public } from '../access/access.js'
import { Produces } from '../http/acceptable.js'
import { ApiReadiness } from './api-readiness.js'
import { ApiMetrics } from './api-metrics.js'

@ApiTags('health')
@Controller()
export class HealthController {
  private readonly text = new SharedResult(() => this.metrics.registry.metrics())
  private readonly report = new SharedResult(() => this.readiness.report())
  private reportedState: Lifecycle['state'] | undefined

  constructor(
    private readonly readiness: ApiReadiness,
    private readonly lifecycle: Lifecycle,
    private readonly metrics: ApiMetrics,
  ) {}

  @Get('livez')
  @Public()
  @ApiOperation({ summary: 'Liveness: the process is running. No dependency is checked.' })
  live() {
    return { status: 'ok' }
  }

  @Get('startupz')
  @Public()
  @ApiOperation({ summary: 'The start is complete.' })
  async start(@Res({ passthrough: true }) reply: FastifyReply) {
    const started = this.lifecycle.state !== 'starting'
    if (!started) void reply.status(503)
    return { started }
  }

  @Get('readyz')
  @Public()
  @ApiOperation({
    summary:
      'Readiness: the api can store submissions. An outage of the broker (`broker`) and broker settings that may lose queues (`notes`) are reported but do not count: work is accepted and enqueued later.',
  })
  async ready(@Res({ passthrough: true }) reply: FastifyReply) {
    // A stop is to be known at once.
    if (this.reportedState !== this.lifecycle.state) this.report.forget()
    this.reportedState = this.lifecycle.state
    const { isReady, body } = await this.report.get()
    if (!isReady) void reply.status(503)
    return body
  }

  @Get('metrics')
  @Public()
  @Produces('text/plain')
  @ApiOperation({ summary: 'Metrics in the text format of Prometheus' })
  async readMetrics(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    void reply.type(this.metrics.registry.contentType)
    return this.text.get()
  }
}
